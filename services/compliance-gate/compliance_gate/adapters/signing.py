"""The gate's Ed25519 key, from its private JWK file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from compliance_gate.domain import jose


class KeyFileError(ValueError):
    """A key file has the wrong shape; the text names the file and the rule, never the key."""


class Ed25519Signer:
    """Signer with one private key; it checks what that key signed."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key
        self._public = KeySet([OKPKey.import_key(jose.public_part(key))])

    @classmethod
    def load(cls, path: Path) -> Ed25519Signer:
        """From a private JWK file.

        Raises:
            KeyFileError: not a private Ed25519 JWK with a kid.
        """
        try:
            data = json.loads(path.read_text("utf-8"))
            key = OKPKey.import_key(data)
        except (OSError, ValueError, JoseError) as error:
            raise KeyFileError(f"{path.name}: want a private OKP JWK ({type(error).__name__})") from None
        if data.get("crv") != jose.ALGORITHM or not data.get("kid") or not key.is_private:
            raise KeyFileError(f"{path.name}: want kty OKP, crv Ed25519, a private part d and a kid")
        return cls(key)

    @property
    def key_id(self) -> str:
        return str(self._key.kid)

    def sign(self, claims: Mapping[str, Any]) -> str:
        return jose.sign(claims, self._key)

    def verify(self, token: str) -> Mapping[str, Any] | None:
        return jose.verify(token, self._public)

    def public_keys(self) -> Mapping[str, Any]:
        return {"keys": [jose.public_part(self._key)]}
