"""compliance-gate alone on real Kafka and PostgreSQL: the process, its campaign, offers for it, and its answers."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from bench.hop_raw import WAIT_SECONDS
from bench.leads import numbers
from outdial_cli.config import Config, child_environment
from outdial_cli.embedded import jars
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.postgres import PostgresNode
from outdial_cli.embedded.process import Child, ChildSpec, free_ports
from outdial_cli.embedded.topics import create_topics
from outdial_cli.stack.environment import SIGNING_KEY
from outdial_cli.stack.materials import load_lists, make_keys
from outdial_cli.stack.stack import topic_specs
from outdial_contracts.base import Event
from outdial_contracts.codec import encode
from outdial_contracts.events import (
    Address,
    CallMode,
    CampaignPublished,
    CampaignState,
    Consent,
    ConsentLevel,
    Context,
    LeadReady,
    LineType,
    Purpose,
    Segment,
)
from outdial_contracts.headers import EventHeaders, event_id
from outdial_contracts.topics import TOPICS
from outdial_testing.campaigns import campaign_document

ROOT = Path(__file__).resolve().parents[1]
NAME = "compliance-gate"
START = datetime(2026, 11, 17, 15, tzinfo=UTC)
GRANTED = START - timedelta(days=90)
CLEARANCE_TTL_SECONDS = 300
PARTITIONS = 2
LOADING = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE)


@dataclass(frozen=True, kw_only=True)
class GateStack:
    """A gate that runs, and how to reach it."""

    bootstrap: str
    prefix: str
    grpc_address: str
    origin_seconds: float
    """Monotonic seconds when the gate's clock read START."""
    child: Child

    def now(self) -> datetime:
        """The gate's clock."""
        return START + timedelta(seconds=time.monotonic() - self.origin_seconds)

    def publish(self, *events: Event) -> None:
        """Produces events as other services would; returns once Kafka has them."""
        fill(self.bootstrap, self.prefix, events)


class Progress:
    """How many offers the gate has committed: what is committed is decided, stored and answered."""

    def __init__(self, stack: GateStack) -> None:
        self._group = Consumer({"bootstrap.servers": stack.bootstrap, "group.id": stack.prefix + NAME, "log_level": 2})
        self._partitions = [TopicPartition(stack.prefix + LeadReady.TOPIC, p) for p in range(PARTITIONS)]

    def committed(self) -> int:
        """None while the broker still loads the group."""
        try:
            found = self._group.committed(self._partitions, timeout=WAIT_SECONDS)
        except KafkaException as error:
            if error.args[0].code() not in LOADING:
                raise
            return 0
        return sum(max(p.offset, 0) for p in found)

    def close(self) -> None:
        """Leaves nothing behind: it never joined."""
        self._group.close()


@contextmanager
def infrastructure(folder: Path) -> Iterator[tuple[str, PostgresNode]]:
    """Kafka's bootstrap address and a PostgreSQL node, until the block ends."""
    config = Config.from_env()
    kafka = KafkaNode(folder / "kafka", config.cache_dir, jars.fetch(config.cache_dir / "jars"), record_aot=False)
    postgres = PostgresNode(folder / "postgres")
    try:
        postgres.start()
        kafka.start()
        yield kafka.bootstrap, postgres
    finally:
        kafka.stop()
        postgres.stop()


@contextmanager
def gate(
    bootstrap: str, postgres: PostgresNode, folder: Path, prefix: str, waiting: Sequence[Event]
) -> Iterator[GateStack]:
    """A gate that starts with `waiting` on its topics; yields it once the process runs, ready or not."""
    create_topics(bootstrap, topic_specs(), prefix)
    fill(bootstrap, prefix, [*campaign(), *waiting])
    tool = Path(sys.executable).with_name(NAME)
    make_keys(tool, folder / "keys", fresh=True)
    load_lists(tool, ROOT / "examples" / "lists", folder / "lists", START.isoformat())
    http_port, grpc_port = free_ports(2)
    origin = time.monotonic()
    own = {
        "OUTDIAL_KAFKA_BOOTSTRAP": bootstrap,
        "OUTDIAL_TOPIC_PREFIX": prefix,
        "OUTDIAL_HTTP_PORT": str(http_port),
        "OUTDIAL_GRPC_PORT": str(grpc_port),
        "OUTDIAL_LOG_LEVEL": "WARNING",
        "OUTDIAL_CLOCK_START": START.isoformat(),
        "OUTDIAL_CLOCK_ORIGIN_SECONDS": repr(origin),
        "OUTDIAL_POSTGRES_DSN": postgres.create_service_schema(NAME),
        "OUTDIAL_TOKEN_KEYS": "1:" + "ab" * 16,
        "OUTDIAL_SIGNING_KEY_FILE": str(folder / "keys" / SIGNING_KEY),
        "OUTDIAL_LISTS_DIR": str(folder / "lists"),
    }
    command = (sys.executable, "-m", "compliance_gate")
    spec = ChildSpec(name=NAME, command=command, log_path=folder / "gate.log", env=child_environment(own), cwd=ROOT)
    child = Child(spec)
    child.start()
    try:
        yield GateStack(
            bootstrap=bootstrap,
            prefix=prefix,
            grpc_address=f"127.0.0.1:{grpc_port}",
            origin_seconds=origin,
            child=child,
        )
    finally:
        child.stop()


def campaign() -> list[CampaignPublished]:
    """One campaign that runs."""
    document = campaign_document(owner="bench", clearance_ttl_seconds=CLEARANCE_TTL_SECONDS, route_id="bench")
    version = CampaignPublished(
        campaign_id="bench",
        slot="1",
        version=1,
        team_id="blue",
        state=CampaignState.UNKNOWN,
        published_at=START,
        published_by="bench",
        document=document,
    )
    return [version, replace(version, slot="state", state=CampaignState.RUNNING, document=None)]


def offers(count: int) -> list[LeadReady]:
    """Offers of as many people on as many numbers, all of which may be called; nobody is."""
    states = {number[2:5]: state for number, state in numbers()}
    found = ((f"+1{area}555{line:04d}", state) for line in range(10_000) for area, state in states.items())
    return [_offer(index, *next(found)) for index in range(count)]


def _offer(index: int, number: str, state: str) -> LeadReady:
    attempt_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"bench-{index}"))
    consent = Consent(
        consent_id=f"bench-{index}",
        seller_id="S1",
        purpose="any",
        channel="voice",
        level=ConsentLevel.PEWC,
        granted_at=GRANTED,
        source="web-form",
        captured_at=GRANTED,
        ip="192.0.2.7",
        text_sha256="be7611d0e1d4e7f1ec103e23a2ac0ca332c4cb911047ead9e74c4bb8491f5078",
    )
    return LeadReady(
        attempt_id=attempt_id,
        team_id="blue",
        campaign_id="bench",
        campaign_version=1,
        context=Context(lead_id=attempt_id, attempt_no=1, segment=Segment.WARM, score_band="0.4-0.6"),
        offer_no=1,
        person_id=f"person-{index}",
        phone=number,
        person_token="",
        callee_token="",
        seller_id="S1",
        topic_id="T1",
        purpose=Purpose.MARKETING,
        agent_guaranteed=False,
        line_type=LineType.MOBILE,
        consumer=True,
        address=Address(country="US", region=f"US-{state}"),
        score=0.5,
        epoch=1,
        offered_at=START,
        expires_at=START + timedelta(hours=1),
        modes=(CallMode.LIVE_AUTODIALED,),
        consents=(consent,),
    )


def fill(bootstrap: str, prefix: str, events: Sequence[Event]) -> None:
    """Produces events under their keys."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5, "log_level": 2}
    )
    for event in events:
        key = TOPICS[event.TOPIC].key_of(event)
        headers = EventHeaders(
            id=event_id(f"bench:{key}", event.TOPIC), type=event.TOPIC, source="bench", subject=key, time=START
        )
        producer.produce(prefix + event.TOPIC, value=encode(event), key=key.encode(), headers=list(headers.to_kafka()))
        producer.poll(0)
    producer.flush(WAIT_SECONDS)
