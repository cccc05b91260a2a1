"""Configuration of the pacer, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


class ConfigError(ValueError):
    """A variable is absent or wrong; the text names variable, shape and rule."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the pacer needs to know besides the runtime's own configuration."""

    owner_id: str
    """This process, for people who read the journal."""
    address: str
    """Where Assign is asked, host:port; told in team.owner and call.dial."""
    snapshot_every_records: int = 1000
    """Journal records of a partition between two sets of snapshots."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_GRPC_PORT, OUTDIAL_ADVERTISED_HOST, OUTDIAL_ORDINAL, OUTDIAL_SNAPSHOT_EVERY_RECORDS.

        Raises:
            ConfigError: the first variable that is absent or out of its bounds.
        """
        port = _number(env, "OUTDIAL_GRPC_PORT", None, 1, 65535)
        host = env.get("OUTDIAL_ADVERTISED_HOST") or "127.0.0.1"
        return cls(
            owner_id=f"pacer-{_number(env, 'OUTDIAL_ORDINAL', 0, 0, 9999)}",
            address=f"{host}:{port}",
            snapshot_every_records=_number(env, "OUTDIAL_SNAPSHOT_EVERY_RECORDS", 1000, 50, 100_000),
        )


def _number(env: Mapping[str, str], name: str, default: int | None, lowest: int, highest: int) -> int:
    text = env.get(name) or ("" if default is None else str(default))
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
        raise ConfigError(f"{name}: {len(text)} characters, want a whole number from {lowest} to {highest}")
    return int(text)
