"""The environment of each service of a stack (SERVICES' config.py files are its readers)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outdial_cli.stack.layout import Addresses, Secrets, replica_of

WITH_DATABASE = frozenset({"lead-router", "compliance-gate", "disposition", "analytics"})
TRUNK_PASSWORD_ENV = "OUTDIAL_DEMO_TRUNK_PASSWORD"
WEBHOOK_SECRET_ENV = "OUTDIAL_WEBHOOK_SECRET"
LOCAL_RETRY_SECONDS = "1,2,4,8,15,30,60,120,300,600"
"""Of webhooks: a stack on one machine lives for minutes, not for the days of the default schedule."""
SIGNING_KEY, JWKS = "signing.jwk", "jwks.json"

PAGE_SOURCES = {
    "PACER": "pacer",
    "GATE": "compliance-gate",
    "DISPOSITION": "disposition",
    "ANALYTICS": "analytics",
    "LEAD_ROUTER": "lead-router",
}
"""Part of a variable's name -> service."""


@dataclass(frozen=True, kw_only=True)
class RunClock:
    """The domain clock of a run: reads `start` when CLOCK_MONOTONIC reads `origin_seconds`; real time without start."""

    start: str | None = None
    origin_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the services of one stack share."""

    bootstrap: str
    topic_prefix: str
    otlp_endpoint: str
    addresses: Addresses
    secrets: Secrets
    keys_dir: Path
    prompts_dir: Path
    lists_dir: Path
    clock: RunClock
    dsns: Mapping[str, str]
    """service -> DSN with its own role and schema."""
    collector_url: str = ""
    """Where traces are looked up; none without."""
    reports_dir: Path | None = None
    """Where the console finds report.html files."""


def environment_of(process: str, settings: Settings) -> dict[str, str]:
    """The OUTDIAL_* variables of a process (layout.process_name)."""
    addresses = settings.addresses
    service, ordinal = replica_of(process)
    common = {
        "OUTDIAL_KAFKA_BOOTSTRAP": settings.bootstrap,
        "OUTDIAL_TOPIC_PREFIX": settings.topic_prefix,
        "OUTDIAL_ORDINAL": str(ordinal),
        "OUTDIAL_HTTP_PORT": str(addresses.http_ports[process]),
        "OUTDIAL_GRPC_PORT": str(addresses.grpc_ports[process]),
        "OUTDIAL_ADVERTISED_HOST": "127.0.0.1",
        "OUTDIAL_OTLP_ENDPOINT": settings.otlp_endpoint,
        "OUTDIAL_GATE_ADDRESS": addresses.gate,
        **clock_variables(settings.clock),
    }
    if service in WITH_DATABASE:
        common["OUTDIAL_POSTGRES_DSN"] = settings.dsns[service]
    return {**common, **_own(service, ordinal, settings)}


def clock_variables(clock: RunClock) -> dict[str, str]:
    """The variables of a run's clock; none for the real one."""
    if clock.start is None:
        return {}
    return {
        "OUTDIAL_CLOCK_START": clock.start,
        "OUTDIAL_CLOCK_ORIGIN_SECONDS": repr(clock.origin_seconds),
    }


def _own(service: str, ordinal: int, settings: Settings) -> dict[str, str]:
    """What only this service reads."""
    addresses, secrets = settings.addresses, settings.secrets
    agent_sip_port, trunk_sip_port = addresses.sip_ports(ordinal)
    own = {
        "lead-router": {"OUTDIAL_TOKEN_KEYS": secrets.token_keys},
        "compliance-gate": {
            "OUTDIAL_TOKEN_KEYS": secrets.token_keys,
            "OUTDIAL_SIGNING_KEY_FILE": str(settings.keys_dir / SIGNING_KEY),
            "OUTDIAL_CLEARANCE_JWKS_FILE": str(settings.keys_dir / JWKS),
            "OUTDIAL_LISTS_DIR": str(settings.lists_dir),
        },
        "media-gateway": {
            "OUTDIAL_CLEARANCE_JWKS_FILE": str(settings.keys_dir / JWKS),
            "OUTDIAL_AGENT_SECRET": secrets.agent_secret,
            "OUTDIAL_AGENT_SIP_PORT": str(agent_sip_port),
            "OUTDIAL_TRUNK_SIP_PORT": str(trunk_sip_port),
            "OUTDIAL_RTP_PORTS": addresses.rtp_range(ordinal),
            "OUTDIAL_PROMPTS_DIR": str(settings.prompts_dir),
            TRUNK_PASSWORD_ENV: secrets.trunk_password,
        },
        "disposition": {
            WEBHOOK_SECRET_ENV: secrets.webhook_secret,
            "OUTDIAL_WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128",
            "OUTDIAL_WEBHOOK_RETRY_SECONDS": LOCAL_RETRY_SECONDS,
        },
        "console": {
            "OUTDIAL_AGENT_SECRET": secrets.agent_secret,
            # Each desk's phones sit at a gateway of their own, where there are as many.
            "OUTDIAL_AGENT_SIP_ADDRESS": f"127.0.0.1:{agent_sip_port}",
            **_pages(settings),
        },
    }
    return own.get(service, {})


def _pages(settings: Settings) -> dict[str, str]:
    """Whom the console's pages ask: every replica, since a team's pacer is only one of them."""
    ports = settings.addresses.http_ports
    urls = {
        f"OUTDIAL_{name}_URL": ",".join(settings.addresses.url(p) for p in ports if replica_of(p)[0] == service)
        for name, service in PAGE_SOURCES.items()
    }
    if settings.collector_url:
        urls["OUTDIAL_TRACES_URL"] = settings.collector_url
    if settings.reports_dir is not None:
        urls["OUTDIAL_REPORTS_DIR"] = str(settings.reports_dir)
    return urls
