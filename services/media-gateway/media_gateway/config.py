"""The only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class ConfigError(Exception):
    """A variable is absent or does not fit; the text names variable, shape and rule."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where the gateway listens, whom it asks and what it may take."""

    gateway_id: str
    partition: int
    """Partition of call.dial that is ours: the ordinal."""
    advertised_host: str
    grpc_port: int
    sip_host: str
    agent_sip_port: int
    trunk_sip_port: int
    """Local port towards the carriers."""
    rtp_ports: tuple[int, int]
    """First and last UDP port of the media range, inclusive."""
    prompts_dir: Path
    channels: int
    """Concurrent trunk calls."""
    gate_address: str
    jwks_file: Path
    agent_secret: bytes = field(repr=False)
    drain_seconds: float
    environ: Mapping[str, str] = field(repr=False)
    """For the trunk passwords, whose variables the route document names."""

    @property
    def grpc_address(self) -> str:
        """Where other services reach our rpc methods."""
        return f"{self.advertised_host}:{self.grpc_port}"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_* variables. Raises ConfigError."""
        ordinal = _integer(env, "OUTDIAL_ORDINAL", "0")
        return cls(
            gateway_id=env.get("OUTDIAL_GATEWAY_ID", f"gateway-{ordinal}"),
            partition=ordinal,
            advertised_host=env.get("OUTDIAL_ADVERTISED_HOST", "127.0.0.1"),
            grpc_port=_integer(env, "OUTDIAL_GRPC_PORT", None),
            sip_host=env.get("OUTDIAL_SIP_HOST", "127.0.0.1"),
            agent_sip_port=_integer(env, "OUTDIAL_AGENT_SIP_PORT", "5070"),
            trunk_sip_port=_integer(env, "OUTDIAL_TRUNK_SIP_PORT", "5062"),
            rtp_ports=_port_range(env.get("OUTDIAL_RTP_PORTS", "20000-21999")),
            prompts_dir=Path(_required(env, "OUTDIAL_PROMPTS_DIR")),
            channels=_integer(env, "OUTDIAL_CHANNELS", "200"),
            gate_address=_required(env, "OUTDIAL_GATE_ADDRESS"),
            jwks_file=Path(_required(env, "OUTDIAL_CLEARANCE_JWKS_FILE")),
            agent_secret=_required(env, "OUTDIAL_AGENT_SECRET").encode(),
            drain_seconds=float(_integer(env, "OUTDIAL_DRAIN_SECONDS", "20")),
            environ=env,
        )


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise ConfigError(f"{name} is not set; the gateway can't start without it")
    return value


def _integer(env: Mapping[str, str], name: str, default: str | None) -> int:
    text = env.get(name) or default
    if text is None or not text.isdigit():
        raise ConfigError(f"{name} must be a whole number, 0 or more")
    return int(text)


def _port_range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last) <= 65535):
        raise ConfigError("OUTDIAL_RTP_PORTS must be FIRST-LAST, both ports, FIRST below LAST")
    return int(first), int(last)
