"""Creates topics through the broker's admin interface."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

REQUEST_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class TopicSpec:
    """One topic as it should be; `config` holds Kafka's topic settings (cleanup.policy, retention.ms, …)."""

    name: str
    partitions: int = 1
    config: dict[str, str] = field(default_factory=dict)


class TopicMismatch(Exception):
    """A topic exists with another number of partitions than its specification says."""


def create_topics(bootstrap: str, specs: Iterable[TopicSpec], prefix: str = "") -> list[str]:
    """Creates those that are missing, with the broker's default replication; their names, prefix included.

    Raises TopicMismatch, KafkaException.
    """
    wanted = {prefix + spec.name: spec for spec in specs}
    # The client must live until its futures are done, or they never finish.
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    existing = admin.list_topics(timeout=REQUEST_TIMEOUT_SECONDS).topics
    for name, spec in wanted.items():
        if name in existing and len(existing[name].partitions) != spec.partitions:
            raise TopicMismatch(f"{name} has {len(existing[name].partitions)} partitions, not {spec.partitions}")
    missing = [
        NewTopic(name, num_partitions=spec.partitions, replication_factor=-1, config=spec.config)
        for name, spec in wanted.items()
        if name not in existing
    ]
    if not missing:
        return []
    futures = admin.create_topics(missing, request_timeout=REQUEST_TIMEOUT_SECONDS)
    created = [name for name, future in futures.items() if _created(future)]
    del admin
    return created


def _created(future: object) -> bool:
    try:
        future.result(REQUEST_TIMEOUT_SECONDS)  # type: ignore[attr-defined]
    except KafkaException as failure:
        if failure.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise
    return True
