"""The gate's configuration; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outdial_contracts.identity import TokenKeys


class ConfigError(ValueError):
    """A variable is absent or has the wrong shape; the text names variable, shape and rule, never a secret."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything the gate is told by its environment."""

    postgres_dsn: str
    """PostgreSQL of this service; its role sets the schema."""
    token_keys: TokenKeys
    """HMAC keys of person and callee tokens, shared with lead-router."""
    signing_key_file: Path
    """Private Ed25519 JWK with a kid; `compliance-gate keys new` makes one."""
    rule_pack_files: tuple[Path, ...] = ()
    """Rule packs in place of the shipped ones."""
    lists_dir: Path | None = None
    """Snapshots of external lists (`compliance-gate lists load`); None: no list is ever consulted (SCRUB_MISSING)."""
    pool_size: int = 12
    """Database connections."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Config:
        """Reads OUTDIAL_POSTGRES_DSN, OUTDIAL_TOKEN_KEYS, OUTDIAL_SIGNING_KEY_FILE, OUTDIAL_RULE_PACK_FILES,
        OUTDIAL_LISTS_DIR.

        Raises:
            ConfigError: naming the variable.
        """
        files = filter(None, env.get("OUTDIAL_RULE_PACK_FILES", "").split(os.pathsep))
        return cls(
            postgres_dsn=_required(env, "OUTDIAL_POSTGRES_DSN", "a postgresql:// URL"),
            token_keys=_token_keys(env),
            signing_key_file=Path(_required(env, "OUTDIAL_SIGNING_KEY_FILE", "a path to a private Ed25519 JWK")),
            rule_pack_files=tuple(map(Path, files)),
            lists_dir=Path(lists) if (lists := env.get("OUTDIAL_LISTS_DIR")) else None,
            pool_size=_pool_size(env),
        )


def _required(env: Mapping[str, str], name: str, shape: str) -> str:
    value = env.get(name, "")
    if not value:
        raise ConfigError(f"{name}: want {shape}; it is not set")
    return value


def _token_keys(env: Mapping[str, str]) -> TokenKeys:
    try:
        return TokenKeys.parse(_required(env, "OUTDIAL_TOKEN_KEYS", "version:hex, comma between versions"))
    except ConfigError:
        raise
    except ValueError:
        raise ConfigError("OUTDIAL_TOKEN_KEYS: want version:hex of at least 16 bytes, comma between versions") from None


def _pool_size(env: Mapping[str, str]) -> int:
    text = env.get("OUTDIAL_GATE_POOL_SIZE", "12")
    if not text.isdecimal() or not 2 <= int(text) <= 100:
        raise ConfigError("OUTDIAL_GATE_POOL_SIZE: want a number of connections from 2 to 100")
    return int(text)
