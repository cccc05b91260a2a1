"""What a batch handler is promised on every broker: an outcome for each message, as if it had come alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from outdial_contracts.events import PacingDemand, PacingSupply
from outdial_contracts.headers import read_headers
from outdial_runtime.broker import Record
from outdial_runtime.outcome import DeadLetter, Drop, Outcome, Publish, RetryLater
from outdial_runtime.service import Batched, Received, Service, Subscription
from outdial_testing.bench import Bench, Crash, Spied
from outdial_testing.broker_contract import crash_on, ignore, poll_until
from outdial_testing.contract_service import CAMPAIGNS, demand, service_of, supply

Decide = Callable[[PacingDemand], Outcome]
MOST = 4


class BatchContract:
    """Subclass it with a fixture `bench`: a Bench on fresh topics."""

    async def test_each_message_of_a_batch_has_its_own_outcome_in_order(self, bench: Bench) -> None:
        sizes: list[int] = []

        def decide(event: PacingDemand) -> Outcome:
            if event.epoch == 2:
                return DeadLetter("EVEN", "epoch is 2")
            return Drop("THREE") if event.epoch == 3 else answer(event)

        await bench.publish(*(demand(c, epoch) for c in CAMPAIGNS for epoch in (1, 2, 3, 4)))
        garbage = Record(topic="pacing.demand", key=b"a", value=b"\x00\x00", headers=[], partition=1)
        await bench.produce([garbage])
        replica = await bench.start(batching(decide, sizes))
        await replica.until(lambda: sum(sizes) == 4 * len(CAMPAIGNS))
        await replica.stop()
        epochs = {c: [e.epoch for e in await bench.events(PacingSupply) if e.campaign_id == c] for c in CAMPAIGNS}
        assert epochs == {c: [1, 4] for c in CAMPAIGNS}
        dead = await bench.messages("pacing.demand.dead")
        assert Counter(dict(m.headers)["dead_reason"] for m in dead) == {b"EVEN": len(CAMPAIGNS), b"MALFORMED": 1}
        assert max(sizes) <= MOST

    async def test_one_put_off_in_a_batch_comes_again_with_all_behind_it(self, bench: Bench) -> None:
        refusals = Counter[str]()

        def decide(event: PacingDemand) -> Outcome:
            if event == demand("a", 2) and refusals["a"] < 3:
                refusals["a"] += 1
                return RetryLater("NOT_YET", after_seconds=0.2)
            return answer(event)

        await bench.publish(*(demand(c, epoch) for c in CAMPAIGNS for epoch in (1, 2, 3)))
        replica = await bench.start(batching(decide, []))
        events = await poll_until(lambda: bench.events(PacingSupply), lambda found: len(found) == 3 * len(CAMPAIGNS))
        await replica.stop()
        assert {c: [e.epoch for e in events if e.campaign_id == c] for c in CAMPAIGNS} == {
            c: [1, 2, 3] for c in CAMPAIGNS
        }

    async def test_crash_before_the_commit_of_a_batch_repeats_its_events_under_the_same_ids(self, bench: Bench) -> None:
        await bench.publish(*(demand("a", epoch) for epoch in (1, 2, 3)))
        crashed = await bench.start(batching(answer, []), broker=Spied(bench.broker, crash_on("commit"), ignore))
        assert isinstance(await crashed.ended(), Crash)
        sizes: list[int] = []
        again = await bench.start(batching(answer, sizes))
        await again.until(lambda: sum(sizes) == 3)
        await again.stop()
        ids = Counter(read_headers(m.headers).id for m in await bench.messages("pacing.supply"))
        assert len(ids) == 3
        assert set(ids.values()) <= {1, 2}
        assert ids.total() > 3


def answer(event: PacingDemand) -> Outcome:
    """A supply for a demand."""
    return Publish([supply(event.campaign_id, event.epoch)])


def batching(decide: Decide, sizes: list[int], most: int = MOST) -> Service:
    """A service that decides one by one or many at once, alike; `sizes` learns how many at a time."""

    async def alone(message: Received[PacingDemand], deps: Any) -> Outcome:
        sizes.append(1)
        return decide(message.event)

    async def together(messages: Sequence[Received[PacingDemand]], deps: Any) -> Sequence[Outcome]:
        sizes.append(len(messages))
        return [decide(message.event) for message in messages]

    batched = Batched(handler=together, most=most)
    return service_of({PacingDemand: Subscription(handler=alone, batched=batched)})
