"""Reads clearances: JWS, alg Ed25519, signed by the gate under a key of its published set (RFC 7515, RFC 9864)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from media_gateway.domain.admission import Claims

AUDIENCE = "outdial-media-gateway"
REREAD_SECONDS = 1.0


class JwsClearances:
    """Implements ports.Clearances over a JWKS file.

    A token of a key that is not known makes the file be read again, at most once a REREAD_SECONDS: so a rotated key is
    taken up without a restart, and forged tokens cost no reading. A file that is no JWKS leaves the keys as they are.
    """

    def __init__(self, jwks_file: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._file = jwks_file
        self._monotonic = monotonic
        self._keys = _load(jwks_file)
        self._read_at = float("-inf")

    def claims(self, token: str) -> Claims | None:
        """The claims, or None for anything that the gate did not sign for gateways."""
        try:
            return self._read(token)
        except (JoseError, ValueError, KeyError, TypeError):
            if not self._took_up_a_key(token):
                return None
        try:
            return self._read(token)
        except (JoseError, ValueError, KeyError, TypeError):
            return None

    def _took_up_a_key(self, token: str) -> bool:
        """Whether the token's key was unknown and the file was read again."""
        key_id, now = _key_id(token), self._monotonic()
        known = {key.kid for key in self._keys.keys}
        if key_id is None or key_id in known or now - self._read_at < REREAD_SECONDS:
            return False
        self._read_at = now
        with suppress(OSError, JoseError, ValueError, KeyError, TypeError):
            self._keys = _load(self._file)
        return True

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


def _load(file: Path) -> KeySet:
    return KeySet.import_key_set(json.loads(file.read_text()))


def _key_id(token: str) -> str | None:
    """The key that a token's header names, believed or not."""
    try:
        named = jws.extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError, TypeError, AttributeError):
        return None
    return named if isinstance(named, str) else None
