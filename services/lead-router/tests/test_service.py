"""Configuration and composition."""

from __future__ import annotations

import pytest

from lead_router.app import SUBSCRIPTIONS, iana_zones
from lead_router.config import Config, ConfigError
from outdial_contracts.topics import TOPICS

GOOD = {"OUTDIAL_POSTGRES_DSN": "postgresql://x", "OUTDIAL_TOKEN_KEYS": "1:" + "ab" * 16}


def test_subscriptions_are_the_topics_that_name_this_service() -> None:
    named = {topic.name for topic in TOPICS.values() if "lead-router" in topic.consumers}
    assert {event.TOPIC for event in SUBSCRIPTIONS} == named


def test_zones_come_from_the_pinned_wheel() -> None:
    assert {"America/New_York", "Pacific/Honolulu"} <= iana_zones()


def test_configuration_has_defaults_and_hides_secrets() -> None:
    config = Config.from_env(GOOD)
    assert (config.idempotency_hours, config.pool_size) == (24, 8)
    assert "ab" * 16 not in repr(config)
    assert "postgresql" not in repr(config)


@pytest.mark.parametrize(
    "change",
    [
        {"OUTDIAL_POSTGRES_DSN": ""},
        {"OUTDIAL_TOKEN_KEYS": ""},
        {"OUTDIAL_TOKEN_KEYS": "1:abcd"},
        {"OUTDIAL_TOKEN_KEYS": "secret-without-version"},
        {"OUTDIAL_IDEMPOTENCY_HOURS": "99999"},
        {"OUTDIAL_POSTGRES_POOL": "many"},
    ],
)
def test_wrong_variable_is_named_without_its_value(change: dict[str, str]) -> None:
    (name, value) = next(iter(change.items()))
    with pytest.raises(ConfigError, match=name) as caught:
        Config.from_env(GOOD | change)
    assert not value or value not in str(caught.value)
