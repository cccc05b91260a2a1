"""What a process is told about where it runs: the variables every service shares."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from outdial_runtime.clock import SystemClock

PREFIX = re.compile(r"[A-Za-z0-9._-]{0,64}")


class ConfigError(ValueError):
    """A variable is absent or has the wrong shape; the text names variable, shape and rule."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Where a service's process runs."""

    service_name: str
    kafka_bootstrap: str
    """host:port, comma between brokers."""
    topic_prefix: str = ""
    ordinal: int = 0
    """Which replica this is; also its partition of PINNED topics."""
    http_port: int | None = None
    """None: no HTTP server; 0: any free port."""
    grpc_port: int | None = None
    advertised_host: str = "127.0.0.1"
    """Where others reach this process; the servers bind to it."""
    otlp_endpoint: str | None = None
    """host:port of an OTLP gRPC receiver; None exports nothing."""
    clock_start: datetime | None = None
    clock_origin_seconds: float = 0.0
    log_level: str = "INFO"

    @property
    def instance(self) -> str:
        """`{service}-{ordinal}`: names the process, its transactional.id and its spans."""
        return f"{self.service_name}-{self.ordinal}"

    @property
    def clock(self) -> SystemClock:
        """The domain clock of this run."""
        return SystemClock(self.clock_start, self.clock_origin_seconds)

    @classmethod
    def from_env(cls, service_name: str, env: Mapping[str, str] = os.environ) -> RunConfig:
        """Reads the OUTDIAL_* variables that every service shares.

        Raises:
            ConfigError: names the variable, its shape and the rule.
        """
        bootstrap = env.get("OUTDIAL_KAFKA_BOOTSTRAP", "")
        if not bootstrap:
            raise ConfigError("OUTDIAL_KAFKA_BOOTSTRAP: absent; want host:port")
        start = _time(env, "OUTDIAL_CLOCK_START")
        origin = env.get("OUTDIAL_CLOCK_ORIGIN_SECONDS", "")
        if start is not None and not origin:
            raise ConfigError("OUTDIAL_CLOCK_ORIGIN_SECONDS: absent beside OUTDIAL_CLOCK_START; want monotonic seconds")
        return cls(
            service_name=service_name,
            kafka_bootstrap=bootstrap,
            topic_prefix=_prefix(env),
            ordinal=_integer(env, "OUTDIAL_ORDINAL", 0, 9999) or 0,
            http_port=_integer(env, "OUTDIAL_HTTP_PORT", 0, 65535),
            grpc_port=_integer(env, "OUTDIAL_GRPC_PORT", 0, 65535),
            advertised_host=env.get("OUTDIAL_ADVERTISED_HOST") or "127.0.0.1",
            otlp_endpoint=env.get("OUTDIAL_OTLP_ENDPOINT") or None,
            clock_start=start,
            clock_origin_seconds=_seconds("OUTDIAL_CLOCK_ORIGIN_SECONDS", origin),
            log_level=_level(env),
        )


def _integer(env: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = env.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ConfigError(f"{name}: {len(text)} characters; want a whole number from {low} to {high}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    try:
        return float(text or 0.0)
    except ValueError:
        raise ConfigError(f"{name}: {len(text)} characters; want seconds as a decimal number") from None


def _time(env: Mapping[str, str], name: str) -> datetime | None:
    text = env.get(name, "")
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name}: {len(text)} characters; want an RFC 3339 time") from None
    if time.tzinfo is None:
        raise ConfigError(f"{name}: a time without a zone; want an RFC 3339 time with one")
    return time.astimezone(UTC)


def _prefix(env: Mapping[str, str]) -> str:
    text = env.get("OUTDIAL_TOPIC_PREFIX", "")
    if not PREFIX.fullmatch(text):
        raise ConfigError(f"OUTDIAL_TOPIC_PREFIX: {len(text)} characters; want {PREFIX.pattern}")
    return text


def _level(env: Mapping[str, str]) -> str:
    text = env.get("OUTDIAL_LOG_LEVEL", "INFO").upper()
    if text not in logging.getLevelNamesMapping():
        raise ConfigError("OUTDIAL_LOG_LEVEL: unknown; want DEBUG, INFO, WARNING or ERROR")
    return text
