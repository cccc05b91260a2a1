"""Decisions per second through Kafka with facts, ledger and signature, beside a ceiling; and Redeem meanwhile.

The ceiling polls the same records with the same client, decodes each, encodes an answer like the gate's, produces,
waits for the acknowledgements and commits: what is left is what deciding, storing, signing and tracing cost.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.cpu import sample
from bench.gate_stack import NAME, GateStack, Progress, gate, infrastructure, offers
from bench.hop_raw import BATCH, WAIT_SECONDS, producer_settings
from bench.redeems import Redeems, redeem_at
from outdial_cli.embedded.topics import create_topics
from outdial_cli.stack.stack import topic_specs
from outdial_contracts.codec import decode, encode
from outdial_contracts.events import ComplianceBlocked, ComplianceCleared, LeadReady

DECISIONS = 10_000
REDEEMS_PER_SECOND = 200
REDEEM_SECONDS = 10
BURST = 500
CEILING = "ceiling."
LOOK_SECONDS = 0.02
LIMIT_SECONDS = 240.0


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What one contender did with the same offers."""

    per_second: float
    """Wall clock, from the first commit to the last."""
    per_cpu_second: float
    """Of its own process alone."""


@dataclass(frozen=True, kw_only=True)
class DecisionsResult:
    """All of one run."""

    offers: int
    blocked: int
    gate: Rate
    ceiling: Rate
    redeem_cpu_ms: float
    """CPU of the gate for each Redeem, with nothing else."""
    redeem_alone: Redeems
    redeem_beside: Redeems
    """While bursts of offers are decided, one a second."""
    redeem_flooded: Redeems
    """While offers are decided without a pause."""


def run(say: Callable[[str], None], count: int = DECISIONS) -> DecisionsResult:
    """Starts Kafka, PostgreSQL and the gate, measures, stops everything."""
    each = REDEEMS_PER_SECOND * REDEEM_SECONDS
    with tempfile.TemporaryDirectory(prefix="outdial-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as somebody else
        everything = offers(count + 2 * each)
        decided, later = everything[:count], everything[count:]
        with (
            infrastructure(folder) as (bootstrap, postgres),
            gate(bootstrap, postgres, folder, "bench.", decided) as stack,
        ):
            rate = _follow(stack, count)
            say(f"decisions: gate {rate.per_second:.0f}/s, {rate.per_cpu_second:.0f} per CPU-second")
            ceiling, cleared, blocked = _ceiling(stack, count)
            say(f"decisions: ceiling {ceiling.per_second:.0f}/s, {ceiling.per_cpu_second:.0f} per CPU-second")
            cpu_ms, alone, beside, flooded = asyncio.run(_redeems(stack, cleared, later, say))
    return DecisionsResult(
        offers=count,
        blocked=blocked,
        gate=rate,
        ceiling=ceiling,
        redeem_cpu_ms=cpu_ms,
        redeem_alone=alone,
        redeem_beside=beside,
        redeem_flooded=flooded,
    )


def _follow(stack: GateStack, count: int) -> Rate:
    """Watches the group's committed offsets and the process's CPU."""
    progress, deadline = Progress(stack), time.monotonic() + LIMIT_SECONDS
    first: tuple[float, int, float] | None = None
    try:
        while True:
            done = progress.committed()
            cpu = _cpu_ms(stack)
            now = time.perf_counter()
            if done and first is None:
                first = now, done, cpu
            if first is not None and done >= count:
                handled = done - first[1]
                return Rate(per_second=handled / (now - first[0]), per_cpu_second=handled / (cpu - first[2]) * 1000)
            if not stack.child.running or time.monotonic() > deadline:
                raise RuntimeError(f"the gate decided {done} of {count}{stack.child.log_tail()}")
            time.sleep(LOOK_SECONDS)
    finally:
        progress.close()


def _cpu_ms(stack: GateStack) -> float:
    return sample({NAME: stack.child.pid or 0}).by_name[NAME]


def _ceiling(stack: GateStack, count: int) -> tuple[Rate, list[ComplianceCleared], int]:
    """The ceiling's rate; and what the gate cleared, and how many it blocked."""
    cleared = [e for e in _answers(stack, ComplianceCleared.TOPIC) if isinstance(e, ComplianceCleared)]
    blocked = len(_answers(stack, ComplianceBlocked.TOPIC))
    consumer = _consumer(stack, LeadReady.TOPIC)
    producer = Producer(producer_settings(stack.bootstrap, None))
    create_topics(stack.bootstrap, [spec for spec in topic_specs() if spec.name == ComplianceCleared.TOPIC], CEILING)
    target = CEILING + ComplianceCleared.TOPIC
    done, started, cpu, first = 0, 0.0, 0.0, 0
    try:
        while done < count:
            batch = consumer.consume(BATCH, 1.0)
            if batch and not started:
                started, cpu, first = time.perf_counter(), time.process_time(), len(batch)
            for message in batch:
                offer = decode(message.value() or b"", LeadReady.TOPIC)
                assert isinstance(offer, LeadReady)
                answer = replace(cleared[0], attempt_id=offer.attempt_id, context=offer.context)
                producer.produce(target, value=encode(answer), key=message.key(), headers=message.headers())
            producer.flush(WAIT_SECONDS)
            if batch:
                consumer.commit(asynchronous=False)
            done += len(batch)
        seconds, used = time.perf_counter() - started, time.process_time() - cpu
    finally:
        consumer.close()
    rate = Rate(per_second=(done - first) / seconds, per_cpu_second=(done - first) / used)
    return rate, cleared, blocked


def _answers(stack: GateStack, topic: str) -> list[object]:
    """Every event on a topic now."""
    consumer = _consumer(stack, topic)
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(stack.prefix + topic, p), timeout=WAIT_SECONDS)[1]
            for p in range(len(consumer.list_topics(stack.prefix + topic).topics[stack.prefix + topic].partitions))
        ]
        found: list[object] = []
        while len(found) < sum(ends):
            found += [decode(m.value() or b"", topic) for m in consumer.consume(BATCH, 1.0)]
        return found
    finally:
        consumer.close()


def _consumer(stack: GateStack, topic: str) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": stack.bootstrap,
            "group.id": f"ceiling-{topic}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "log_level": 2,
        }
    )
    name = stack.prefix + topic
    partitions = consumer.list_topics(name, timeout=WAIT_SECONDS).topics[name].partitions
    consumer.assign([TopicPartition(name, p, 0) for p in partitions])
    return consumer


async def _redeems(
    stack: GateStack, cleared: Sequence[ComplianceCleared], later: Sequence[LeadReady], say: Callable[[str], None]
) -> tuple[float, Redeems, Redeems, Redeems]:
    """Redeem at a steady pace: with nothing else, beside bursts of offers, and beside a flood of them."""
    each = REDEEMS_PER_SECOND * REDEEM_SECONDS
    warm = await redeem_at(stack, cleared[:each], REDEEMS_PER_SECOND)
    say(f"decisions: Redeem to warm up: {warm}")
    before = _cpu_ms(stack)
    alone = await redeem_at(stack, cleared[each : 2 * each], REDEEMS_PER_SECOND)
    cpu_ms = (_cpu_ms(stack) - before) / each
    say(f"decisions: Redeem alone: {alone}")
    bursts, flood = later[: BURST * REDEEM_SECONDS // 2], later[BURST * REDEEM_SECONDS // 2 :]
    bursting = asyncio.create_task(_burst(stack, bursts))
    beside = await redeem_at(stack, cleared[2 * each : 3 * each], REDEEMS_PER_SECOND)
    await bursting
    say(f"decisions: Redeem beside bursts: {beside}")
    flooding = asyncio.create_task(asyncio.to_thread(stack.publish, *flood))
    flooded = await redeem_at(stack, cleared[3 * each : 4 * each], REDEEMS_PER_SECOND)
    await flooding
    say(f"decisions: Redeem beside a flood: {flooded}")
    return cpu_ms, alone, beside, flooded


async def _burst(stack: GateStack, waiting: Sequence[LeadReady]) -> None:
    for start in range(0, len(waiting), BURST):
        await asyncio.gather(asyncio.to_thread(stack.publish, *waiting[start : start + BURST]), asyncio.sleep(1.0))
