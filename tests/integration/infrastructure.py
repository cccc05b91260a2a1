"""Where the tests' Kafka and PostgreSQL come from: containers when a Docker engine answers, else child processes.

OUTDIAL_INFRA=containers|embedded|external overrides. Containers are handed on as external infrastructure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from outdial_cli.config import InfraKind

KAFKA_IMAGE, POSTGRES_IMAGE = "confluentinc/cp-kafka:8.1.0", "postgres:18"
KAFKA_SETTINGS = {
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_DEFAULT_REPLICATION_FACTOR": "1",
}
PROBE_SECONDS = 2
Variables = dict[str, str]


class NoContainer(Exception):
    """An engine answered, and a container did not start."""


def choose(environment: Mapping[str, str], engine_answers: Callable[[], bool]) -> InfraKind:
    """What OUTDIAL_INFRA says; without it containers where an engine answers. Raises ValueError for another word."""
    said = environment.get("OUTDIAL_INFRA")
    if said:
        return InfraKind(said)
    return InfraKind.CONTAINERS if engine_answers() else InfraKind.EMBEDDED


def engine_answers() -> bool:
    """Whether a Docker engine answers within two seconds."""
    # Imported here, for most machines have no engine and none of the tests that run there needs the client.
    import docker  # type: ignore[import-untyped]
    from docker.errors import DockerException  # type: ignore[import-untyped]

    try:
        client = docker.from_env(timeout=PROBE_SECONDS)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except DockerException:
        return False


@contextmanager
def variables_for(
    kind: InfraKind, say: Callable[[str], None], containers: Callable[[ExitStack], Variables] | None = None
) -> Iterator[Variables]:
    """The OUTDIAL_* variables of a stack on `kind`; says so when containers do not start, and goes on embedded."""
    if kind is not InfraKind.CONTAINERS:
        yield {"OUTDIAL_INFRA": kind.value}
        return
    with ExitStack() as running:
        try:
            variables = (containers or _containers)(running)
        except NoContainer as failure:
            say(f"a Docker engine answers, but {failure}; Kafka and PostgreSQL run as child processes instead")
            variables = {"OUTDIAL_INFRA": InfraKind.EMBEDDED.value}
        yield variables


def _containers(running: ExitStack) -> Variables:
    """Starts both. Raises NoContainer."""
    from testcontainers.community.kafka import KafkaContainer
    from testcontainers.community.postgres import PostgresContainer

    kafka = KafkaContainer(KAFKA_IMAGE).with_kraft().with_envs(**KAFKA_SETTINGS)
    postgres = PostgresContainer(POSTGRES_IMAGE, driver=None)
    for name, container in (("kafka", kafka), ("postgres", postgres)):
        try:
            running.enter_context(container)
        except Exception as error:
            # Whatever engine, registry or image have to say: the caller has another way.
            raise NoContainer(f"the {name} container did not start ({type(error).__name__})") from error
    return {
        "OUTDIAL_INFRA": InfraKind.EXTERNAL.value,
        "OUTDIAL_KAFKA_BOOTSTRAP": kafka.get_bootstrap_server(),
        "OUTDIAL_POSTGRES_DSN": postgres.get_connection_url(driver=None),
    }
