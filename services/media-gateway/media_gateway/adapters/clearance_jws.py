"""Reads clearances: JWS, alg Ed25519, signed by the gate under a key of its published set (RFC 7515, RFC 9864)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from media_gateway.domain.admission import Claims

AUDIENCE = "outdial-media-gateway"


class JwsClearances:
    """Implements ports.Clearances over a JWKS file; the file is read again when a token names an unknown key."""

    def __init__(self, jwks_file: Path) -> None:
        self._file = jwks_file
        self._keys = KeySet.import_key_set(json.loads(jwks_file.read_text()))

    def claims(self, token: str) -> Claims | None:
        """The claims, or None for anything that the gate did not sign for gateways."""
        try:
            return self._read(token)
        except (JoseError, ValueError, KeyError, TypeError):
            self._keys = KeySet.import_key_set(json.loads(self._file.read_text()))
        try:
            return self._read(token)
        except (JoseError, ValueError, KeyError, TypeError):
            return None

    def _read(self, token: str) -> Claims:
        signed = jws.deserialize_compact(token, self._keys, algorithms=["Ed25519"])
        claims = json.loads(signed.payload)
        if claims["aud"] != AUDIENCE:
            raise ValueError("aud is not ours")
        return Claims(
            attempt_id=str(claims["sub"]),
            country=str(claims["country"]),
            number_class=str(claims["class"]),
            modes=frozenset(claims["modes"]),
            agent_guaranteed=bool(claims["agent_guaranteed"]),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
