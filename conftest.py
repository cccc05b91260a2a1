"""What all tests share: a task that outlives its test fails it; one Kafka and one PostgreSQL, when first asked for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from outdial_cli.config import Config, InfraKind
from outdial_cli.embedded import jars
from outdial_cli.embedded.kafka import KafkaNode
from outdial_cli.embedded.postgres import PostgresNode

LIBRARY_TASKS = {"AioServer._request_registered_call"}
"""grpcio ends its own after the server that they belong to has stopped."""


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


@pytest.fixture(autouse=True)
def leaks(request: pytest.FixtureRequest) -> None:
    """Every asynchronous test is checked: set up first, so that the check comes after its other fixtures are closed."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("no_task_left")


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fails a test whose tasks still run when everything it used is closed."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)  # what was cancelled at the end gets its turn to end
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    names = sorted(task.get_coro().__qualname__ for task in left if not task.done())
    assert not [name for name in names if name not in LIBRARY_TASKS], f"tasks outlive the test: {names}"
