"""The only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


class ConfigError(Exception):
    """A variable is absent or has the wrong shape; the text names variable, shape and rule."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where facts are kept."""

    postgres_dsn: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_POSTGRES_DSN. Raises ConfigError."""
        if not env.get("OUTDIAL_POSTGRES_DSN"):
            raise ConfigError("OUTDIAL_POSTGRES_DSN: absent; it must be set")
        return cls(postgres_dsn=env["OUTDIAL_POSTGRES_DSN"])
