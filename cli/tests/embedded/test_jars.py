"""The lock of Kafka's jars: what it may hold, and that no other bytes are run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from outdial_cli.embedded.jars import KAFKA_VERSION, LOCK_FILE, JarError, fetch, parse_lock, write_lock

DIGEST = "0" * 64
CLIENTS = f"org.apache.kafka:kafka-clients:{KAFKA_VERSION} sha256:{DIGEST}\n"


def test_committed_lock_holds_the_broker_its_tools_and_a_logging_backend() -> None:
    names = {jar.artifact for jar in parse_lock(LOCK_FILE.read_text())}
    assert {"kafka_2.13", "kafka-clients", "kafka-server", "log4j-slf4j-impl", "log4j-core"} <= names


def test_committed_lock_names_no_host() -> None:
    assert "http" not in LOCK_FILE.read_text()


def test_older_kafka_clients_are_refused() -> None:
    with pytest.raises(JarError, match=r"kafka-clients 4\.3\.1 once, it holds \['3\.9\.1'\]"):
        parse_lock(CLIENTS.replace(KAFKA_VERSION, "3.9.1"))


def test_lock_without_kafka_clients_is_refused() -> None:
    with pytest.raises(JarError, match="holds none"):
        parse_lock(f"a:b:1 sha256:{DIGEST}\n")


@pytest.mark.parametrize("line", ["a:b sha256:" + DIGEST, "a:b:1", "a:b:1 sha256:abc", "a:b:1 md5:" + DIGEST])
def test_malformed_line_is_quoted(line: str) -> None:
    with pytest.raises(JarError, match="malformed line"):
        parse_lock(CLIENTS + line)


def test_two_jars_of_one_name_are_refused() -> None:
    with pytest.raises(JarError, match=r"b-1\.jar twice"):
        parse_lock(CLIENTS + f"a:b:1 sha256:{DIGEST}\nc:b:1 sha256:{DIGEST}\n")


def test_jar_with_other_bytes_is_named_and_not_used(tmp_path: Path) -> None:
    lock, jar = tmp_path / "jars.lock", tmp_path / f"kafka-clients-{KAFKA_VERSION}.jar"
    jar.write_bytes(b"the right bytes")
    lock.write_text(CLIENTS.replace(DIGEST, hashlib.sha256(b"the right bytes").hexdigest()))
    seen: list[tuple[int, int]] = []
    assert fetch(tmp_path, lambda done, total: seen.append((done, total)), lock) == [jar]
    assert seen == [(1, 1)]
    jar.write_bytes(b"other bytes")
    with pytest.raises(JarError, match=rf"{jar.name} does not match jars\.lock"):
        fetch(tmp_path, lock_file=lock)


def test_lock_is_written_as_it_is_read_and_never_unusable(tmp_path: Path) -> None:
    jars = parse_lock(LOCK_FILE.read_text())
    write_lock(jars, tmp_path / "jars.lock")
    assert (tmp_path / "jars.lock").read_text() == LOCK_FILE.read_text()
    with pytest.raises(JarError, match="kafka-clients"):
        write_lock(jars[:1], tmp_path / "other.lock")
    assert not (tmp_path / "other.lock").exists()
