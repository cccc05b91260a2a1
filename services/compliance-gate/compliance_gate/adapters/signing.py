"""The gate's Ed25519 keys, from their private JWK file: the first signs, the others are believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from compliance_gate.domain import jose


class KeyFileError(ValueError):
    """A key file has the wrong shape; the text names the file and the rule, never the key."""


class Ed25519Signer:
    """Signer with one private key; what it or one of the `others` signed is believed."""

    def __init__(self, key: OKPKey, others: Sequence[OKPKey] = (), file: Path | None = None, content: str = "") -> None:
        self._file, self._content = file, content
        self._hold(key, others)

    def _hold(self, key: OKPKey, others: Sequence[OKPKey]) -> None:
        self._key = key
        self._public_parts = [jose.public_part(one) for one in (key, *others)]
        self._public = KeySet([OKPKey.import_key(part) for part in self._public_parts])

    @classmethod
    def load(cls, path: Path) -> Ed25519Signer:
        """From a private JWK file, or a JWKS whose first key is private and signs.

        Raises:
            KeyFileError: not that, or a key without a kid of its own.
        """
        try:
            content = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileError(f"{path.name}: can't be read ({type(error).__name__})") from None
        key, others = parsed(path.name, content)
        return cls(key, others, path, content)

    @property
    def key_id(self) -> str:
        return str(self._key.kid)

    @property
    def key_ids(self) -> Sequence[str]:
        return [part["kid"] for part in self._public_parts]

    def sign(self, claims: Mapping[str, Any]) -> str:
        return jose.sign(claims, self._key)

    def verify(self, token: str) -> Mapping[str, Any] | None:
        return jose.verify(token, self._public)

    def public_keys(self) -> Mapping[str, Any]:
        return {"keys": self._public_parts}

    async def refresh(self) -> bool:
        if self._file is None:
            return False
        try:
            content = await asyncio.to_thread(self._file.read_text, "utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileError(f"{self._file.name}: can't be read ({type(error).__name__})") from None
        if content == self._content:
            return False
        self._hold(*parsed(self._file.name, content))
        self._content = content
        return True


def parsed(name: str, content: str) -> tuple[OKPKey, list[OKPKey]]:
    """The key that signs and the others, of a key file's content. Raises KeyFileError."""
    try:
        data = json.loads(content)
        entries = data["keys"] if isinstance(data, dict) and "keys" in data else [data]
        keys = [OKPKey.import_key(entry) for entry in entries]
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise KeyFileError(f"{name}: want a private OKP JWK or a JWKS of them ({type(error).__name__})") from None
    if not keys or any(e.get("crv") != jose.ALGORITHM or not e.get("kid") for e in entries) or not keys[0].is_private:
        raise KeyFileError(f"{name}: want kty OKP, crv Ed25519, a kid, and in the first key a private part d")
    if len({key.kid for key in keys}) < len(keys):
        raise KeyFileError(f"{name}: kid: two keys have the same")
    return keys[0], keys[1:]
