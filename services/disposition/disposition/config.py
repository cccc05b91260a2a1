"""The only reader of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

ADDRESS = re.compile(r"[^\s:]+:\d{1,5}")


class ConfigError(Exception):
    """A variable is absent or has the wrong shape; the text names variable, shape and rule."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where attempts are kept and whom opt-outs are told."""

    postgres_dsn: str
    gate_address: str
    """host:port of compliance-gate's rpc."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_POSTGRES_DSN and OUTDIAL_GATE_ADDRESS. Raises ConfigError."""
        address = _required(env, "OUTDIAL_GATE_ADDRESS")
        if not ADDRESS.fullmatch(address):
            raise ConfigError(f"OUTDIAL_GATE_ADDRESS: {len(address)} characters; want host:port")
        return cls(postgres_dsn=_required(env, "OUTDIAL_POSTGRES_DSN"), gate_address=address)


def _required(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise ConfigError(f"{name}: absent; it must be set")
    return env[name]
