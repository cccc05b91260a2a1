"""Messages per second through one hop: a service on the runtime beside the client's raw ceiling, in one run."""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from bench.cpu import sample
from bench.hop_raw import WAIT_SECONDS, Raw, codec_rate, raw_rates
from bench.hop_service import EXACTLY_ONCE, NAME
from outdial_cli.config import Config, child_environment
from outdial_cli.embedded import jars
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.process import Child, ChildSpec, free_ports
from outdial_cli.embedded.topics import create_topics
from outdial_cli.stack.stack import topic_specs
from outdial_contracts.codec import encode
from outdial_contracts.events import (
    Address,
    Consent,
    ConsentLevel,
    LeadAction,
    LeadState,
    LeadSubmitted,
    LineType,
    Phone,
    Segment,
)
from outdial_contracts.headers import EventHeaders, event_id

ROOT = Path(__file__).resolve().parents[1]
MESSAGES = 20_000
LOOK_SECONDS = 0.02
LIMIT_SECONDS = 180.0
SUBMITTED = datetime(2026, 11, 17, 15, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One guarantee's figures."""

    rate: float
    """Messages per second, from the first commit to the last."""
    cpu_ms_per_message: float
    """Of the service's process alone."""


@dataclass(frozen=True, kw_only=True)
class HopResult:
    """All of one run; rates are messages per second."""

    messages: int
    at_least_once: Hop
    exactly_once: Hop
    raw: Raw
    codec: float
    """Decode and encode only, one core."""


def run(say: Callable[[str], None], messages: int = MESSAGES) -> HopResult:
    """Starts a Kafka, fills it, measures, stops everything."""
    config = Config.from_env()
    with tempfile.TemporaryDirectory(prefix="outdial-bench-") as folder:
        kafka = KafkaNode(Path(folder), config.cache_dir, jars.fetch(config.cache_dir / "jars"), record_aot=False)
        try:
            kafka.start()
            return _measure(kafka.bootstrap, Path(folder), messages, say)
        finally:
            kafka.stop()


def lead(index: int) -> LeadSubmitted:
    """A lead as a CRM submits it, consent and all."""
    consent = Consent(
        consent_id=f"c{index}",
        seller_id="S1",
        purpose="any",
        channel="voice",
        level=ConsentLevel.PEWC,
        granted_at=SUBMITTED - timedelta(days=90),
        source="web-form",
        captured_at=SUBMITTED - timedelta(days=90),
        text_sha256="be7611d0e1d4e7f1ec103e23a2ac0ca332c4cb911047ead9e74c4bb8491f5078",
    )
    return LeadSubmitted(
        lead_id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(index))),
        action=LeadAction.SUBMIT,
        source="bench-crm",
        external_id=f"L{index}",
        person_id=f"person-{index}",
        campaign_id="bench",
        consumer=True,
        address=Address(country="US", region="US-NY"),
        segment=Segment.COLD,
        score=0.5,
        submitted_at=SUBMITTED,
        phones=(Phone(number=f"+1212555{100 + index % 100:04d}", default_region="US", line_type=LineType.MOBILE),),
        consents=(consent,),
        attributes={"plan": "basic"},
    )


def _measure(bootstrap: str, folder: Path, messages: int, say: Callable[[str], None]) -> HopResult:
    specs = [spec for spec in topic_specs() if spec.name in (LeadSubmitted.TOPIC, LeadState.TOPIC)]
    prefixes = {mode: f"{mode}." for mode in ("at-least-once", EXACTLY_ONCE, "raw")}
    for prefix in prefixes.values():
        create_topics(bootstrap, specs, prefix)
    events = [lead(index) for index in range(messages)]
    values = [encode(event) for event in events]
    for prefix in prefixes.values():
        _fill(bootstrap, prefix + LeadSubmitted.TOPIC, events, values)
    say(f"hop: {messages} messages of {len(values[0])} bytes in each topic")
    hops = {}
    for mode in ("at-least-once", EXACTLY_ONCE):
        hops[mode] = _service(bootstrap, prefixes[mode], mode, folder, messages)
        say(f"hop: {mode} {hops[mode].rate:.0f}/s")
    raw = raw_rates(bootstrap, prefixes["raw"] + LeadSubmitted.TOPIC, prefixes["raw"] + LeadState.TOPIC, messages)
    say(f"hop: raw, in batches {raw.batches:.0f}/s")
    return HopResult(
        messages=messages,
        at_least_once=hops["at-least-once"],
        exactly_once=hops[EXACTLY_ONCE],
        raw=raw,
        codec=codec_rate(values),
    )


def _fill(bootstrap: str, topic: str, events: Sequence[LeadSubmitted], values: Sequence[bytes]) -> None:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5, "log_level": 2}
    )
    for event, value in zip(events, values, strict=True):
        headers = EventHeaders(
            id=event_id(event.lead_id, LeadSubmitted.TOPIC),
            type=LeadSubmitted.TOPIC,
            source=event.source,
            subject=event.lead_id,
            time=event.submitted_at,
        )
        producer.produce(topic, value=value, key=event.lead_id.encode(), headers=list(headers.to_kafka()))
        producer.poll(0)
    producer.flush(WAIT_SECONDS)


def _service(bootstrap: str, prefix: str, mode: str, folder: Path, messages: int) -> Hop:
    [port] = free_ports(1)
    own = {
        "OUTDIAL_KAFKA_BOOTSTRAP": bootstrap,
        "OUTDIAL_TOPIC_PREFIX": prefix,
        "OUTDIAL_HTTP_PORT": str(port),
        "OUTDIAL_LOG_LEVEL": "WARNING",
    }
    spec = ChildSpec(
        name=mode,
        command=(sys.executable, "-m", "bench.hop_service", mode),
        log_path=folder / f"{mode}.log",
        env=child_environment(own),
        cwd=ROOT,
    )
    child = Child(spec)
    child.start()
    try:
        return _follow(bootstrap, prefix, child, messages)
    finally:
        child.stop()


def _follow(bootstrap: str, prefix: str, child: Child, messages: int) -> Hop:
    """Watches the group's committed offsets: what is committed is done, whatever the guarantee."""
    group = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": prefix + NAME, "enable.auto.commit": False, "log_level": 2}
    )
    partitions = [TopicPartition(prefix + LeadSubmitted.TOPIC, p) for p in range(2)]
    deadline = time.monotonic() + LIMIT_SECONDS
    first: tuple[float, int, float] | None = None
    try:
        while True:
            done = _committed(group, partitions)
            cpu = sample({"hop": child.pid or 0}).by_name["hop"]
            now = time.perf_counter()
            if done and first is None:
                first = now, done, cpu
            if first is not None and done >= messages:
                seconds, handled = now - first[0], done - first[1]
                return Hop(rate=handled / seconds, cpu_ms_per_message=(cpu - first[2]) / handled)
            if not child.running or time.monotonic() > deadline:
                raise RuntimeError(f"the hop handled {done} of {messages}{child.log_tail()}")
            time.sleep(LOOK_SECONDS)
    finally:
        group.close()


def _committed(group: Consumer, partitions: list[TopicPartition]) -> int:
    """How many messages are committed; none while the broker still loads the group."""
    try:
        return sum(max(p.offset, 0) for p in group.committed(partitions, timeout=WAIT_SECONDS))
    except KafkaException as error:
        if not error.args[0].retriable():
            raise
        return 0
