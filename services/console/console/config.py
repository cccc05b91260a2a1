"""The only reader of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

ADDRESS = re.compile(r"[^\s:]+:\d{1,5}")
SHORTEST_SECRET_BYTES = 16


class ConfigError(Exception):
    """A variable is absent or has the wrong shape; the text names variable, shape and rule."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Whom the console asks, and where agents' phones connect."""

    gate_address: str
    agent_secret: bytes
    """Signs sessions and derives the phones' passwords; the gateway holds the same."""
    agent_sip_address: str
    """host:port that agents' phones call."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_GATE_ADDRESS, OUTDIAL_AGENT_SECRET, OUTDIAL_AGENT_SIP_ADDRESS. Raises ConfigError."""
        secret = _required(env, "OUTDIAL_AGENT_SECRET").encode()
        if len(secret) < SHORTEST_SECRET_BYTES:
            raise ConfigError(f"OUTDIAL_AGENT_SECRET: {len(secret)} bytes; want at least {SHORTEST_SECRET_BYTES}")
        return cls(
            gate_address=_address(env, "OUTDIAL_GATE_ADDRESS"),
            agent_secret=secret,
            agent_sip_address=_address(env, "OUTDIAL_AGENT_SIP_ADDRESS"),
        )


def _required(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise ConfigError(f"{name}: absent; it must be set")
    return env[name]


def _address(env: Mapping[str, str], name: str) -> str:
    value = _required(env, name)
    if not ADDRESS.fullmatch(value):
        raise ConfigError(f"{name}: {len(value)} characters; want host:port")
    return value
