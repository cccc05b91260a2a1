"""What the command line reads from the environment; the only reader of it in this package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class ConfigError(Exception):
    """A variable is missing or has a value we do not know; names the variable."""


class InfraKind(StrEnum):
    """Where Kafka and PostgreSQL come from (OUTDIAL_INFRA)."""

    EMBEDDED = "embedded"
    CONTAINERS = "containers"
    EXTERNAL = "external"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the `outdial` command."""

    infra: InfraKind = InfraKind.EMBEDDED
    """OUTDIAL_INFRA."""
    kafka_bootstrap: str | None = None
    """OUTDIAL_KAFKA_BOOTSTRAP, host:port; external only."""
    postgres_dsn: str | None = None
    """OUTDIAL_POSTGRES_DSN of a role that may create roles and schemas; external only."""
    data_dir: Path = Path(".outdial")
    """OUTDIAL_DATA_DIR."""
    cache_dir: Path = Path(".outdial/cache")
    """OUTDIAL_CACHE_DIR; jars and the JVM's cache, worth keeping between runs."""

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Config:
        """Reads the process's environment unless another is given. Raises ConfigError."""
        env = os.environ if environment is None else environment
        data_dir = Path(env.get("OUTDIAL_DATA_DIR") or ".outdial")
        config = cls(
            infra=_infra(env.get("OUTDIAL_INFRA") or InfraKind.EMBEDDED),
            kafka_bootstrap=env.get("OUTDIAL_KAFKA_BOOTSTRAP") or None,
            postgres_dsn=env.get("OUTDIAL_POSTGRES_DSN") or None,
            data_dir=data_dir,
            cache_dir=Path(env.get("OUTDIAL_CACHE_DIR") or data_dir / "cache"),
        )
        if config.infra is InfraKind.EXTERNAL:
            for name in ("OUTDIAL_KAFKA_BOOTSTRAP", "OUTDIAL_POSTGRES_DSN"):
                if not env.get(name):
                    raise ConfigError(f"OUTDIAL_INFRA=external needs {name}")
        return config


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `extra` over it, for a child; variables of our own are not handed down."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OUTDIAL_")}
    return {**inherited, **extra}


def _infra(text: str) -> InfraKind:
    try:
        return InfraKind(text)
    except ValueError:
        raise ConfigError(f"OUTDIAL_INFRA is {text!r}; it may be {', '.join(InfraKind)}") from None
