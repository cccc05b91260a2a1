"""The only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


class ConfigError(Exception):
    """A variable is absent; the text names it."""


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
        names = ("OUTDIAL_GATE_ADDRESS", "OUTDIAL_AGENT_SECRET", "OUTDIAL_AGENT_SIP_ADDRESS")
        missing = [name for name in names if not env.get(name)]
        if missing:
            raise ConfigError(f"{', '.join(missing)} must be set")
        gate, secret, sip = (env[name] for name in names)
        return cls(gate_address=gate, agent_secret=secret.encode(), agent_sip_address=sip)
