"""A batch handler's messages keep what each would have alone: a span in its trace, and a fault that names a place."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from outdial_contracts.events import (
    Context,
    OfferReturned,
    OfferReturnReason,
    PacingSupply,
    Segment,
    SupplyReason,
)
from outdial_contracts.headers import read_headers
from outdial_runtime.loop import HandlerFault
from outdial_runtime.outcome import NOTHING, Outcome, Publish
from outdial_runtime.service import Batched, Received, Service, Subscription, Toolkit
from outdial_testing import MemoryBroker, VirtualClock, run_in_memory

AT = datetime(2026, 11, 17, 15, tzinfo=UTC)
ATTEMPTS = tuple(str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in "abc")
NAME = "offer.returned process"
Handler = Callable[[Sequence[Received[OfferReturned]], Any], Awaitable[Sequence[Outcome]]]


def returned(attempt_id: str) -> OfferReturned:
    context = Context(lead_id=ATTEMPTS[0], attempt_no=1, segment=Segment.WARM, score_band="0.4-0.6")
    return OfferReturned(
        attempt_id=attempt_id,
        team_id="blue",
        campaign_id="spring",
        campaign_version=1,
        context=context,
        reason=OfferReturnReason.SKIPPED,
        returned_at=AT,
    )


def supply(name: str) -> PacingSupply:
    reason = SupplyReason.SATISFIED
    return PacingSupply(team_id="blue", campaign_id=name, epoch=1, sent_total=1, reason=reason, supplied_at=AT)


async def alone(message: Received[OfferReturned], deps: Any) -> Outcome:
    raise AssertionError("they all lie in one partition, so they come together")


def service_of(handler: Handler) -> Service:
    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Toolkit]:
        yield toolkit

    subscription = Subscription(handler=alone, batched=Batched(handler=handler, most=10))
    return Service(name="s", build=build, subscriptions={OfferReturned: subscription})


def waiting_broker() -> MemoryBroker:
    broker = MemoryBroker(VirtualClock())
    broker.publish(*map(returned, ATTEMPTS))
    return broker


async def test_each_message_has_its_own_span_and_what_it_causes_lies_in_its_trace() -> None:
    async def together(messages: Sequence[Received[OfferReturned]], deps: Any) -> Sequence[Outcome]:
        return [Publish([supply(message.event.attempt_id)]) for message in messages]

    broker, exporter = waiting_broker(), InMemorySpanExporter()
    async with run_in_memory(service_of(together), broker, exporter=exporter) as runtime:
        await runtime.settle()
    spans = {f"{s.context.trace_id:032x}": s for s in exporter.get_finished_spans() if s.name == NAME}
    assert spans.keys() == {uuid.UUID(attempt).hex for attempt in ATTEMPTS}
    assert {span.attributes["outdial.outcome"] for span in spans.values() if span.attributes} == {"Publish"}
    for message, event in zip(broker.log.messages(PacingSupply.TOPIC), broker.events(PacingSupply), strict=True):
        trace = uuid.UUID(event.campaign_id).hex
        assert read_headers(message.headers).traceparent == f"00-{trace}-{spans[trace].context.span_id:016x}-01"


async def test_a_fault_ends_every_span_of_the_batch_and_commits_nothing() -> None:
    async def failing(messages: Sequence[Received[OfferReturned]], deps: Any) -> Sequence[Outcome]:
        raise LookupError("broken for +12125550123")

    seen: list[str] = []

    async def repaired(messages: Sequence[Received[OfferReturned]], deps: Any) -> Sequence[Outcome]:
        seen.extend(message.event.attempt_id for message in messages)
        return [NOTHING] * len(messages)

    broker, exporter = waiting_broker(), InMemorySpanExporter()
    with pytest.raises(HandlerFault, match=r"offer.returned\[\d\]@0: the handler raised LookupError$"):
        async with run_in_memory(service_of(failing), broker, exporter=exporter) as runtime:
            await runtime.settle()
    spans = [s for s in exporter.get_finished_spans() if s.name == NAME]
    assert [(s.status.status_code, s.status.description) for s in spans] == [(StatusCode.ERROR, "HandlerFault")] * 3
    async with run_in_memory(service_of(repaired), broker) as runtime:
        await runtime.settle()
    assert sorted(seen) == sorted(ATTEMPTS)


async def test_too_few_outcomes_are_a_fault_and_lose_no_message() -> None:
    async def forgetful(messages: Sequence[Received[OfferReturned]], deps: Any) -> Sequence[Outcome]:
        return [NOTHING] * (len(messages) - 1)

    with pytest.raises(HandlerFault, match="OutcomeCount"):
        async with run_in_memory(service_of(forgetful), waiting_broker()) as runtime:
            await runtime.settle()
