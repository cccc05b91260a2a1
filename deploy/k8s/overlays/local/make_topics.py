"""Makes the contract's topics and their dead-letter topics on the local overlay's Kafka; a second run adds none."""

from __future__ import annotations

import os

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from outdial_contracts.topics import TOPICS

WAIT_SECONDS = 30.0
DEAD_RETENTION_MS = 30 * 86_400_000


def main() -> None:
    """Raises KafkaException when the broker refuses a topic."""
    wanted = []
    for topic in TOPICS.values():
        wanted.append(_topic(topic.name, topic.partitions, topic.cleanup, topic.retention_ms))
        if topic.dead_letter:
            wanted.append(_topic(topic.dead_letter, 1, "delete", DEAD_RETENTION_MS))
    admin = AdminClient({"bootstrap.servers": os.environ["OUTDIAL_KAFKA_BOOTSTRAP"]})
    for future in admin.create_topics(wanted, request_timeout=WAIT_SECONDS).values():
        try:
            future.result(WAIT_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _topic(name: str, partitions: int, cleanup: str, retention_ms: int) -> NewTopic:
    config = {"cleanup.policy": cleanup} if cleanup == "compact" else {"retention.ms": str(retention_ms)}
    return NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)


if __name__ == "__main__":
    main()
