"""Configuration of lead-router, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from outdial_contracts.identity import TokenKeys


class ConfigError(ValueError):
    """A variable is absent or wrong; the text names variable, shape and rule, never a secret."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What lead-router needs to know besides the runtime's own configuration."""

    postgres_dsn: str = field(repr=False)
    token_keys: TokenKeys = field(repr=False)
    """Keys of person and callee tokens, shared with compliance-gate only."""
    idempotency_hours: int = 24
    """How long an Idempotency-Key is remembered; 1 to 720."""
    pool_size: int = 8
    """Database connections; 2 to 100."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_POSTGRES_DSN, OUTDIAL_TOKEN_KEYS, OUTDIAL_IDEMPOTENCY_HOURS, OUTDIAL_POSTGRES_POOL.

        Raises:
            ConfigError: the first variable that is absent or out of its bounds.
        """
        try:
            keys = TokenKeys.parse(_text(env, "OUTDIAL_TOKEN_KEYS"))
        except ConfigError:
            raise
        except ValueError:
            rule = "want version:hex of at least 16 bytes, comma between versions"
            raise ConfigError(f"OUTDIAL_TOKEN_KEYS: {rule}") from None
        return cls(
            postgres_dsn=_text(env, "OUTDIAL_POSTGRES_DSN"),
            token_keys=keys,
            idempotency_hours=_number(env, "OUTDIAL_IDEMPOTENCY_HOURS", 24, 1, 720),
            pool_size=_number(env, "OUTDIAL_POSTGRES_POOL", 8, 2, 100),
        )


def _text(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise ConfigError(f"{name}: absent, want a text")
    return value


def _number(env: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
        raise ConfigError(f"{name}: {len(text)} characters, want a whole number from {lowest} to {highest}")
    return int(text)
