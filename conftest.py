"""Session fixtures of `stack` tests: one embedded Kafka and one PostgreSQL for the whole run, when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from outdial_cli.config import Config, InfraKind
from outdial_cli.embedded import jars
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.postgres import PostgresNode


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a broker without topics; give every test a topic prefix of its own."""
    config = Config.from_env()
    if config.infra is InfraKind.EXTERNAL and config.kafka_bootstrap is not None:
        yield config.kafka_bootstrap
        return
    cache = Path(__file__).parent / config.cache_dir
    node = KafkaNode(tmp_path_factory.mktemp("kafka"), cache, jars.fetch(cache / "jars"), record_aot=False)
    node.start()
    yield node.bootstrap
    node.stop()


@pytest.fixture(scope="session")
def postgres_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DSN of a superuser; give every test a schema of its own."""
    config = Config.from_env()
    if config.infra is InfraKind.EXTERNAL and config.postgres_dsn is not None:
        yield config.postgres_dsn
        return
    node = PostgresNode(tmp_path_factory.mktemp("postgres"))
    node.start()
    yield node.admin_dsn()
    node.stop()
