"""What a service consumes is what the topic files say it consumes."""

from __future__ import annotations

import importlib

import pytest

from outdial_contracts.topics import TOPICS
from outdial_runtime.service import Read

SERVICES = {
    "lead-router": "lead_router",
    "compliance-gate": "compliance_gate",
    "pacer": "pacer",
    "media-gateway": "media_gateway",
    "disposition": "disposition",
    "analytics": "analytics",
    "console": "console",
}
READ_BACK = {("pacer", "pacing.journal")}
"""Consumed through the toolkit's journal, not by a subscription."""


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_service_subscribes_to_exactly_its_topics(service: str) -> None:
    app = importlib.import_module(f"{SERVICES[service]}.app")
    subscribed = {event.TOPIC for event in app.SUBSCRIPTIONS}
    declared = {t.name for t in TOPICS.values() if service in t.consumers and (service, t.name) not in READ_BACK}
    assert subscribed == declared


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_topics_with_an_explicit_partition_are_read_pinned(service: str) -> None:
    app = importlib.import_module(f"{SERVICES[service]}.app")
    for event, subscription in app.SUBSCRIPTIONS.items():
        pinned = TOPICS[event.TOPIC].partition_field is not None
        assert (subscription.read is Read.PINNED) == pinned


def test_every_consumer_and_producer_is_a_service_or_a_named_outsider() -> None:
    outsiders = {"crm", "cli", "archive", "data-teams"}
    for topic in TOPICS.values():
        assert set(topic.consumers) | set(topic.producers) <= set(SERVICES) | outsiders
