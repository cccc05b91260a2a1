"""What every broker must do, and the loop on top of it: the same cases for memory and Kafka, as arroyo has them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from outdial_contracts.events import PacingDemand, PacingSupply, StopChanged
from outdial_contracts.headers import read_headers
from outdial_runtime.broker import Record
from outdial_runtime.loop import HandlerFault
from outdial_runtime.outcome import NOTHING, DeadLetter, Emit, Outcome, Publish, RetryLater
from outdial_runtime.service import Read, Received, Subscription, Tick, TickInput, Toolkit
from outdial_testing.bench import Bench, Crash, Replica, Spied, eventually
from outdial_testing.contract_service import CAMPAIGNS, Handler, demand, service_of, stop_button, supplier, supply


class BrokerContract:
    """Subclass it with a fixture `bench`: a Bench on fresh topics."""

    async def test_messages_of_a_key_are_handled_in_order(self, bench: Bench) -> None:
        seen: list[tuple[str, int]] = []
        await bench.publish(*(demand(c, epoch) for epoch in range(5) for c in CAMPAIGNS))
        replica = await bench.start(service_of({PacingDemand: Subscription(handler=supplier(seen))}))
        await replica.until(lambda: len(seen) == 30)
        await replica.stop()
        by_key = defaultdict(list)
        for campaign, epoch in seen:
            by_key[campaign].append(epoch)
        assert by_key == {c: [0, 1, 2, 3, 4] for c in CAMPAIGNS}
        assert len(await bench.events(PacingSupply)) == 30

    async def test_crash_before_the_commit_repeats_the_event_under_the_same_id(self, bench: Bench) -> None:
        seen: list[tuple[str, int]] = []
        service = service_of({PacingDemand: Subscription(handler=supplier(seen))})
        await bench.publish(demand("a"))
        crashed = await bench.start(service, broker=Spied(bench.broker, crash_on("commit"), ignore))
        assert isinstance(await crashed.ended(), Crash)
        again = await bench.start(service)
        await again.until(lambda: len(seen) == 2)
        await again.stop()
        ids = [read_headers(m.headers).id for m in await bench.messages("pacing.supply")]
        assert len(ids) == 2
        assert len(set(ids)) == 1

    async def test_handler_that_raises_stops_the_service_and_its_message_comes_again(self, bench: Bench) -> None:
        async def broken(message: Received[Any], deps: Any) -> Outcome:
            raise LookupError("+12125550123")

        seen: list[tuple[str, int]] = []
        await bench.publish(demand("a", 1), demand("a", 2))
        failed = await bench.start(service_of({PacingDemand: Subscription(handler=broken)}))
        fault = await failed.ended()
        assert isinstance(fault, HandlerFault)
        assert "+1212" not in str(fault)
        repaired = await bench.start(service_of({PacingDemand: Subscription(handler=supplier(seen))}))
        await repaired.until(lambda: len(seen) == 2)
        assert seen == [("a", 1), ("a", 2)]

    async def test_retry_later_holds_only_its_partition_and_loses_nothing(self, bench: Bench) -> None:
        seen: list[tuple[str, int, int]] = []
        refusals = Counter[str]()

        async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
            if message.event == demand("a", 2) and refusals["a"] < 3:
                refusals["a"] += 1
                return RetryLater("NOT_YET", after_seconds=0.2)
            seen.append((message.event.campaign_id, message.event.epoch, message.partition))
            return NOTHING

        await bench.publish(*(demand(c, epoch) for c in CAMPAIGNS for epoch in (1, 2, 3)))
        replica = await bench.start(service_of({PacingDemand: Subscription(handler=on_demand)}))
        await replica.until(lambda: len(seen) == 18)
        await replica.stop()
        held = next(partition for campaign, _, partition in seen if campaign == "a")
        at = seen.index(("a", 2, held))
        assert Counter(seen).most_common(1)[0][1] == 1
        assert {epoch for campaign, epoch, _ in seen[:at] if campaign == "a"} == {1}
        others = [entry for entry in seen if entry[2] != held]
        assert all(seen.index(entry) < at for entry in others)

    async def test_dead_letter_keeps_bytes_headers_and_reason(self, bench: Bench) -> None:
        async def refuse(message: Received[Any], deps: Any) -> Outcome:
            return NOTHING if message.event.epoch else DeadLetter("NO_EPOCH", "epoch is 0; want 1 or more")

        replica = await bench.start(service_of({PacingDemand: Subscription(handler=refuse)}))
        garbage = Record(topic="pacing.demand", key=b"a", value=b"\x00\x00", headers=[("x", b"1")], partition=1)
        await bench.produce([garbage])
        await bench.publish(demand("a", 0), demand("a", 1))
        dead = await poll_until(lambda: bench.messages("pacing.demand.dead"), lambda found: len(found) == 2)
        await replica.stop()
        by_reason = {dict(m.headers)["dead_reason"]: m for m in dead}
        malformed = by_reason[b"MALFORMED"]
        assert (malformed.key, malformed.value) == (b"a", b"\x00\x00")
        headers = dict(malformed.headers)
        assert headers["x"] == b"1"
        assert (headers["dead_topic"], headers["dead_partition"]) == (b"pacing.demand", b"1")
        assert (headers["dead_service"], headers["dead_offset"].isdigit()) == (b"contract", True)
        assert dict(by_reason[b"NO_EPOCH"].headers)["dead_detail"].startswith(b"epoch is 0")

    async def test_wrong_topic_and_missing_headers_are_dead_letters(self, bench: Bench) -> None:
        await bench.publish(supply("a"))
        stray = (await bench.messages("pacing.supply"))[0]
        bare = [(n, v) for n, v in stray.headers if v is not None]
        seen: list[tuple[str, int]] = []
        replica = await bench.start(service_of({PacingDemand: Subscription(handler=supplier(seen))}))
        await bench.publish(demand("a"))
        good = (await bench.messages("pacing.demand"))[0]
        await bench.produce(
            [
                Record(topic="pacing.demand", key=b"a", value=stray.value, headers=bare),
                Record(topic="pacing.demand", key=b"a", value=good.value, headers=[]),
                Record(topic="pacing.demand", key=b"a", value=b"\x00\x7f\xff\xff\xff", headers=bare),
            ]
        )
        dead = await poll_until(lambda: bench.messages("pacing.demand.dead"), lambda found: len(found) == 3)
        await replica.stop()
        reasons = [dict(m.headers)["dead_reason"] for m in dead]
        assert reasons == [b"WRONG_TOPIC", b"BAD_HEADERS", b"SCHEMA_UNKNOWN"]
        assert seen == [("a", 1)]

    async def test_two_replicas_share_the_partitions(self, bench: Bench) -> None:
        seen: tuple[list[tuple[str, int]], list[tuple[str, int]]] = ([], [])
        replicas = []
        for ordinal, mine in enumerate(seen):
            service = service_of({PacingDemand: Subscription(handler=supplier(mine))})
            replicas.append(await bench.start(service, ordinal=ordinal))
        await eventually(lambda: [owned(replica) for replica in replicas] == [1, 1])
        await bench.publish(*(demand(c) for c in CAMPAIGNS))
        await eventually(lambda: len(seen[0]) + len(seen[1]) == len(CAMPAIGNS))
        assert seen[0]
        assert seen[1]
        await replicas[0].stop()
        await replicas[1].until(lambda: owned(replicas[1]) == 2)
        await bench.publish(*(demand(c, 2) for c in CAMPAIGNS), cause="second")
        await replicas[1].until(lambda: sum(epoch == 2 for _, epoch in seen[1]) == len(CAMPAIGNS))

    async def test_message_held_for_later_survives_a_rebalance(self, bench: Bench) -> None:
        handled: list[str] = []
        held: list[str] = []

        async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
            if len(held) < 2:
                held.append(message.event.campaign_id)
                return RetryLater("NOT_YET", after_seconds=3.0)
            handled.append(message.event.campaign_id)
            return NOTHING

        await bench.publish(*(demand(c) for c in CAMPAIGNS))
        service = service_of({PacingDemand: Subscription(handler=on_demand)})
        await bench.start(service)
        await eventually(lambda: len(held) == 2)
        await bench.start(service, ordinal=1)
        await eventually(lambda: len(handled) >= len(CAMPAIGNS))
        assert sorted(set(handled)) == list(CAMPAIGNS)

    async def test_then_leaves_only_after_the_first_events_are_acknowledged(self, bench: Bench) -> None:
        timeline: list[tuple[str, str, str]] = []

        def note(moment: str) -> Callable[[str, Any], None]:
            def add(name: str, argument: Any) -> None:
                if argument:
                    what = argument[0].topic if name == "produce" else "offsets"
                    timeline.append((moment, name, what))

            return add

        async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
            return Publish([supply("a")], then=[stop_button("all")])

        await bench.publish(demand("a"))
        broker = Spied(bench.broker, note("asked"), note("acknowledged"))
        replica = await bench.start(service_of({PacingDemand: Subscription(handler=on_demand)}), broker=broker)
        await replica.until(lambda: ("acknowledged", "commit", "offsets") in timeline)
        await replica.stop()
        calls = (("produce", "pacing.supply"), ("produce", "stop.changed"), ("commit", "offsets"))
        assert timeline == [(moment, *call) for call in calls for moment in ("asked", "acknowledged")]

    async def test_hooks_enclose_the_messages_of_a_partition(self, bench: Bench) -> None:
        story: list[str] = []

        class Hooks:
            async def on_assigned(self, partitions: frozenset[int], deps: Any) -> None:
                await asyncio.sleep(0.05)
                story.append(f"assigned {sorted(partitions)}")

            async def on_revoked(self, partitions: frozenset[int], deps: Any) -> None:
                story.append(f"revoked {sorted(partitions)}")

        async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
            story.append("message")
            return NOTHING

        await bench.publish(*(demand(c) for c in CAMPAIGNS))
        service = service_of({PacingDemand: Subscription(handler=on_demand)}, hooks=Hooks())
        replica = await bench.start(service)
        await replica.until(lambda: story.count("message") == len(CAMPAIGNS))
        await replica.stop()
        assert story == ["assigned [0, 1]", *["message"] * len(CAMPAIGNS), "revoked [0, 1]"]

    async def test_exactly_once_leaves_no_duplicate_after_a_crash_before_the_commit(self, bench: Bench) -> None:
        seen: list[tuple[str, int]] = []
        service = service_of({PacingDemand: Subscription(handler=supplier(seen))}, exactly_once=True)
        await bench.publish(*(demand(c) for c in CAMPAIGNS))
        crashed = await bench.start(service, broker=Spied(bench.broker, crash_on("commit"), ignore))
        assert isinstance(await crashed.ended(), Crash)
        again = await bench.start(service)
        await again.until(lambda: {c for c, _ in seen} == set(CAMPAIGNS))
        supplied = await poll_until(lambda: bench.events(PacingSupply), lambda found: len(found) >= len(CAMPAIGNS))
        await again.stop()
        assert sorted(event.campaign_id for event in supplied) == list(CAMPAIGNS)
        assert len(seen) > len(CAMPAIGNS) - 1

    async def test_whole_topics_are_read_before_the_group_starts_and_before_ready(self, bench: Bench) -> None:
        stops: list[str] = []
        known_at_demand: list[int] = []

        async def on_stop(message: Received[StopChanged], deps: Any) -> Outcome:
            assert replica.host.health.not_ready() is not None or len(stops) >= 5
            await asyncio.sleep(0.01)
            stops.append(message.event.scope)
            return NOTHING

        async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
            known_at_demand.append(len(stops))
            return NOTHING

        await bench.publish(*(stop_button(f"seller:{n}") for n in range(5)), demand("a"))
        replica = await bench.start(
            service_of(
                {
                    StopChanged: Subscription(handler=on_stop, read=Read.WHOLE),
                    PacingDemand: Subscription(handler=on_demand),
                }
            )
        )
        await replica.ready()
        assert len(stops) == 5
        await replica.until(lambda: known_at_demand)
        assert known_at_demand == [5]
        await bench.publish(stop_button("all"))
        await replica.until(lambda: stops[-1] == "all")
        await replica.stop()

    async def test_every_replica_reads_whole_topics_and_latest_starts_at_the_end(self, bench: Bench) -> None:
        seen: dict[str, list[str]] = {"whole": [], "latest": []}

        def noting(name: str) -> Handler:
            async def on_stop(message: Received[StopChanged], deps: Any) -> Outcome:
                seen[name].append(message.event.scope)
                return NOTHING

            return on_stop

        await bench.publish(stop_button("before"))
        reads = {"whole": Read.WHOLE, "latest": Read.WHOLE_LATEST}
        replicas = [
            await bench.start(service_of({StopChanged: Subscription(handler=noting(name), read=read)}, name=name))
            for name, read in reads.items()
        ]
        for replica in replicas:
            await replica.ready()
        await bench.publish(stop_button("after"))
        await eventually(lambda: seen["whole"] == ["before", "after"] and seen["latest"] == ["after"])

    async def test_pinned_replica_reads_its_own_partition_and_remembers_where(self, bench: Bench) -> None:
        seen: list[tuple[str, int]] = []
        handler = supplier(seen)
        service = service_of({PacingDemand: Subscription(handler=handler, read=Read.PINNED)})
        await bench.publish(*(demand(c) for c in CAMPAIGNS))
        mine = [m for m in await bench.messages("pacing.demand") if m.partition == 1]
        first = await bench.start(service, ordinal=1)
        await first.until(lambda: len(seen) == len(mine))
        await first.stop()
        second = await bench.start(service, ordinal=1)
        await bench.publish(*(demand(c, 2) for c in CAMPAIGNS), cause="second")
        await second.until(lambda: len(seen) == 2 * len(mine))
        await second.stop()
        assert {epoch for _, epoch in seen[len(mine) :]} == {2}

    async def test_tick_comes_for_each_owned_partition(self, bench: Bench) -> None:
        ticked: list[int | None] = []

        async def on_tick(tick: TickInput, deps: Any) -> Outcome:
            ticked.append(tick.partition)
            return Publish([dataclasses.replace(supply("tick"), epoch=tick.partition or 0)])

        tick = Tick(handler=on_tick, every_seconds=0.05, per_partition_of=PacingDemand)
        replica = await bench.start(
            service_of({PacingDemand: Subscription(handler=supplier([]))}, ticks=(tick,)),
        )
        await replica.until(lambda: len(ticked) >= 6)
        await replica.stop()
        assert ticked[:4] == [0, 1, 0, 1]
        assert {event.epoch for event in await bench.events(PacingSupply)} == {0, 1}

    async def test_sigterm_finishes_and_commits_the_batch_and_flushes_the_outbox(self, bench: Bench) -> None:
        seen: list[str] = []
        entered, drained = asyncio.Event(), asyncio.Event()

        async def slow(message: Received[PacingDemand], deps: Toolkit) -> Outcome:
            entered.set()
            await drained.wait()
            seen.append(message.event.campaign_id)
            return Publish([supply(message.event.campaign_id)])

        async def drain(deps: Toolkit) -> None:
            deps.outbox.emit(Emit(event=supply("last word"), cause="drain"))
            drained.set()

        service = service_of({PacingDemand: Subscription(handler=slow)}, drain=drain)
        await bench.publish(demand("a"))
        replica = await bench.start(service)
        await replica.until(entered.is_set)
        await replica.stop()
        assert {e.campaign_id for e in await bench.events(PacingSupply)} == {"a", "last word"}
        again = await bench.start(service)
        await again.ready()
        await bench.publish(demand("a", 2), cause="second")
        await again.until(lambda: len(seen) == 2)
        await again.stop()
        assert len(await bench.messages("pacing.supply")) == 4

    async def test_journal_gives_back_what_was_appended_with_its_offsets(self, bench: Bench) -> None:
        replica = await bench.start(service_of({}))
        await replica.ready()
        journal = replica.host.deps.journal
        offsets = await journal.append([supply("a", 1), supply("a", 2)], 1)
        found = await journal.read(PacingSupply, 1)
        assert [(r.offset, r.event.epoch) for r in found] == [(offsets[0], 1), (offsets[1], 2)]
        assert [r.event.epoch for r in await journal.read(PacingSupply, 1, offsets[1])] == [2]
        assert await journal.read(PacingSupply, 0) == []
        await replica.stop()

    async def test_past_knows_what_was_handled_and_reads_on_in_chunks_from_any_offset(self, bench: Bench) -> None:
        async def on_demand(message: Received[PacingDemand], deps: Any) -> Outcome:
            return Publish([supply(message.event.campaign_id, message.event.epoch)])

        replica = await bench.start(service_of({PacingDemand: Subscription(handler=on_demand)}))
        await replica.ready()
        await bench.publish(*(demand("a", epoch) for epoch in range(5)))
        await poll_until(lambda: bench.events(PacingSupply), lambda found: len(found) == 5)
        await replica.stop()
        past = replica.host.deps.past
        [source] = [s for s, end in (await past.ends([PacingDemand])).items() if end]
        positions = await past.positions([PacingDemand], [PacingSupply])
        assert positions[source] == 5
        assert sum(end for s, end in positions.items() if s.topic == PacingSupply.TOPIC) == 5
        first = await past.read(source, 1, limit=2)
        assert [r.event.epoch for r in first.events] == [1, 2]
        assert (first.after, first.at_end) == (3, False)
        rest = await past.read(source, first.after, limit=10)
        assert ([r.event.epoch for r in rest.events], rest.after, rest.at_end) == ([3, 4], 5, True)


def owned(replica: Replica) -> int:
    """How many partitions of the input topic a replica owns."""
    return len(replica.host.deps.live_partitions(PacingDemand)) if replica.host.deps else 0


def crash_on(name: str) -> Callable[[str, Any], None]:
    """Dies where that call with something to do begins."""

    def crash(called: str, argument: Any) -> None:
        if called == name and argument:
            raise Crash

    return crash


def ignore(name: str, argument: Any) -> None:
    """Watches nothing."""


async def poll_until(look: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool]) -> Any:
    """Looks again and again, half a minute at most, and returns what was enough."""
    async with asyncio.timeout(30):
        while not enough(found := await look()):  # noqa: ASYNC110 a real broker tells nobody
            await asyncio.sleep(0.05)
    return found
