"""The only reader of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from console.domain.sources import Source

ADDRESS = re.compile(r"[^\s:]+:\d{1,5}")
URL = re.compile(r"https?://[^\s,/]+(/[^\s,]*)?")
SHORTEST_SECRET_BYTES = 16


class ConfigError(Exception):
    """A variable is absent or has the wrong shape; the text names variable, shape and rule."""


@dataclass(frozen=True, kw_only=True)
class PagesConfig:
    """What the pages show, and where it comes from; all of it may be absent, and the pages say so."""

    urls: Mapping[Source, tuple[str, ...]] = field(default_factory=dict)
    """Base URLs by service; of several replicas the first that knows answers."""
    reports_dir: Path | None = None
    """Folder of report.html files."""
    zone: str = "UTC"
    """IANA zone of "today" and of the times on the live page."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Whom the console asks, and where agents' phones connect."""

    gate_address: str
    agent_secret: bytes
    """Signs sessions and derives the phones' passwords; the gateway holds the same."""
    agent_sip_address: str
    """host:port that agents' phones call."""
    pages: PagesConfig = field(default_factory=PagesConfig)

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_GATE_ADDRESS, OUTDIAL_AGENT_SECRET, OUTDIAL_AGENT_SIP_ADDRESS, and the pages' variables.

        Raises:
            ConfigError: names variable, shape and rule.
        """
        secret = _required(env, "OUTDIAL_AGENT_SECRET").encode()
        if len(secret) < SHORTEST_SECRET_BYTES:
            raise ConfigError(f"OUTDIAL_AGENT_SECRET: {len(secret)} bytes; want at least {SHORTEST_SECRET_BYTES}")
        return cls(
            gate_address=_address(env, "OUTDIAL_GATE_ADDRESS"),
            agent_secret=secret,
            agent_sip_address=_address(env, "OUTDIAL_AGENT_SIP_ADDRESS"),
            pages=_pages(env),
        )


def _pages(env: Mapping[str, str]) -> PagesConfig:
    """OUTDIAL_<SERVICE>_URL of each Source, OUTDIAL_REPORTS_DIR, OUTDIAL_CONSOLE_ZONE."""
    folder, zone = env.get("OUTDIAL_REPORTS_DIR"), env.get("OUTDIAL_CONSOLE_ZONE") or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"OUTDIAL_CONSOLE_ZONE: {len(zone)} characters; want an IANA zone") from None
    urls = {source: _urls(env, source.variable) for source in Source}
    return PagesConfig(
        urls={source: found for source, found in urls.items() if found},
        reports_dir=Path(folder) if folder else None,
        zone=zone,
    )


def _urls(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    parts = tuple(part.strip().rstrip("/") for part in env.get(name, "").split(",") if part.strip())
    for part in parts:
        if not URL.fullmatch(part):
            raise ConfigError(f"{name}: {len(part)} characters; want http://host:port, comma between replicas")
    return parts


def _required(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise ConfigError(f"{name}: absent; it must be set")
    return env[name]


def _address(env: Mapping[str, str], name: str) -> str:
    value = _required(env, name)
    if not ADDRESS.fullmatch(value):
        raise ConfigError(f"{name}: {len(value)} characters; want host:port")
    return value
