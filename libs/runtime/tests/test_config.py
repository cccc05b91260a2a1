"""A wrong variable is named with its shape and rule before anything is opened."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from outdial_runtime.config import ConfigError, RunConfig

GOOD = {"OUTDIAL_KAFKA_BOOTSTRAP": "127.0.0.1:9092"}


def test_defaults_serve_one_replica_on_loopback() -> None:
    config = RunConfig.from_env("pacer", GOOD)
    assert (config.instance, config.advertised_host, config.http_port) == ("pacer-0", "127.0.0.1", None)
    assert not config.clock.shifted


def test_shifted_clock_reads_its_start_at_the_origin() -> None:
    env = GOOD | {"OUTDIAL_CLOCK_START": "2026-11-17T15:00:00Z", "OUTDIAL_CLOCK_ORIGIN_SECONDS": "12.5"}
    config = RunConfig.from_env("pacer", env)
    assert config.clock_start == datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
    assert config.clock.shifted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OUTDIAL_KAFKA_BOOTSTRAP", ""),
        ("OUTDIAL_ORDINAL", "-1"),
        ("OUTDIAL_HTTP_PORT", "70000"),
        ("OUTDIAL_GRPC_PORT", "x"),
        ("OUTDIAL_TOPIC_PREFIX", "a b"),
        ("OUTDIAL_CLOCK_START", "2026-11-17T15:00:00"),
        ("OUTDIAL_CLOCK_START", "yesterday"),
        ("OUTDIAL_LOG_LEVEL", "LOUD"),
    ],
)
def test_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        RunConfig.from_env("pacer", GOOD | {name: value})


def test_start_without_origin_is_refused_as_processes_would_disagree() -> None:
    with pytest.raises(ConfigError, match="OUTDIAL_CLOCK_ORIGIN_SECONDS"):
        RunConfig.from_env("pacer", GOOD | {"OUTDIAL_CLOCK_START": "2026-11-17T15:00:00Z"})
