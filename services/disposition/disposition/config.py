"""The only reader of the environment."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from disposition.domain.addresses import Policy
from disposition.domain.delivery import STANDARD_SECONDS

ADDRESS = re.compile(r"[^\s:]+:\d{1,5}")
SECRET_NAME = re.compile(r"OUTDIAL_WEBHOOK_SECRET(_[A-Z0-9_]+)?")
"""What a campaign's webhook.secret_env may name: no other variable of ours is ever a key."""
SECRET_PREFIX = "whsec_"
FEWEST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64
"""Standard Webhooks 1.0, signature scheme."""
LEASE_MARGIN_SECONDS = 20.0


class ConfigError(Exception):
    """A variable is absent or has the wrong shape; the text names variable, shape and rule."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where attempts are kept, whom opt-outs are told, and how webhooks are sent."""

    postgres_dsn: str
    gate_address: str
    """host:port of compliance-gate's rpc."""
    webhook_secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Variable -> its secrets (whsec_…), the newest first; each signs."""
    webhook_policy: Policy = field(default_factory=Policy)
    webhook_delays_seconds: tuple[float, ...] = STANDARD_SECONDS
    """Between tries."""
    webhook_timeout_seconds: float = 10.0
    webhook_slots: int = 8
    """Tries at once for each URL."""
    webhook_ca_file: str | None = None
    """PEM file of the certificate authorities to trust; the system's without it."""

    @property
    def webhook_lease_seconds(self) -> float:
        """Longer than a try takes, with room to write down what came of it."""
        return self.webhook_timeout_seconds + LEASE_MARGIN_SECONDS

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_POSTGRES_DSN, OUTDIAL_GATE_ADDRESS and OUTDIAL_WEBHOOK_*. Raises ConfigError."""
        address = _required(env, "OUTDIAL_GATE_ADDRESS")
        if not ADDRESS.fullmatch(address):
            raise ConfigError(f"OUTDIAL_GATE_ADDRESS: {len(address)} characters; want host:port")
        delays = _numbers(env, "OUTDIAL_WEBHOOK_RETRY_SECONDS", STANDARD_SECONDS, most=86400.0)
        [timeout] = _numbers(env, "OUTDIAL_WEBHOOK_TIMEOUT_SECONDS", (10.0,), most=60.0, count=1)
        [slots] = _numbers(env, "OUTDIAL_WEBHOOK_CONCURRENCY", (8.0,), most=256.0, count=1)
        return cls(
            postgres_dsn=_required(env, "OUTDIAL_POSTGRES_DSN"),
            gate_address=address,
            webhook_secrets={
                name: _secrets(name, value) for name, value in env.items() if SECRET_NAME.fullmatch(name) and value
            },
            webhook_policy=_policy(env),
            webhook_delays_seconds=delays,
            webhook_timeout_seconds=timeout,
            webhook_slots=max(1, int(slots)),
            webhook_ca_file=env.get("OUTDIAL_WEBHOOK_CA_FILE") or None,
        )


def _required(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise ConfigError(f"{name}: absent; it must be set")
    return env[name]


def _numbers(
    env: Mapping[str, str], name: str, default: tuple[float, ...], *, most: float, count: int | None = None
) -> tuple[float, ...]:
    """Comma-separated numbers above 0."""
    text = env.get(name)
    if not text:
        return default
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(f"{name}: {len(text)} characters; want numbers, with commas between them") from None
    if not all(0.0 < number <= most for number in numbers) or (count or len(numbers)) != len(numbers):
        raise ConfigError(f"{name}: {len(numbers)} numbers; want {count or 'some'} above 0 and up to {most:g}")
    return numbers


def _secrets(name: str, value: str) -> tuple[str, ...]:
    """One secret, or two with a space between them while they are rotated."""
    found = tuple(value.split())
    for secret in found:
        try:
            key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not secret.startswith(SECRET_PREFIX) or not FEWEST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
            raise ConfigError(
                f"{name}: {len(secret)} characters; want {SECRET_PREFIX} and base64 of "
                f"{FEWEST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes"
            )
    return found


def _policy(env: Mapping[str, str]) -> Policy:
    text = env.get("OUTDIAL_WEBHOOK_NETWORKS", "")
    try:
        networks = tuple(ipaddress.ip_network(word) for word in text.split(",") if word)
    except ValueError:
        raise ConfigError(f"OUTDIAL_WEBHOOK_NETWORKS: {len(text)} characters; want CIDR blocks, with commas") from None
    plain = env.get("OUTDIAL_WEBHOOK_PLAIN_HTTP", "0")
    if plain not in ("0", "1"):
        raise ConfigError(f"OUTDIAL_WEBHOOK_PLAIN_HTTP: {len(plain)} characters; want 0 or 1")
    return Policy(networks=networks, plain_http=plain == "1")
