"""The only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


class ConfigError(Exception):
    """A variable is absent; the text names it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where attempts are kept and whom opt-outs are told."""

    postgres_dsn: str
    gate_address: str
    """host:port of compliance-gate's rpc."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_POSTGRES_DSN and OUTDIAL_GATE_ADDRESS. Raises ConfigError."""
        missing = [name for name in ("OUTDIAL_POSTGRES_DSN", "OUTDIAL_GATE_ADDRESS") if not env.get(name)]
        if missing:
            raise ConfigError(f"{', '.join(missing)} must be set")
        return cls(postgres_dsn=env["OUTDIAL_POSTGRES_DSN"], gate_address=env["OUTDIAL_GATE_ADDRESS"])
