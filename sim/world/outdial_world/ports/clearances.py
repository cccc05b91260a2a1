"""The gate's signature without elliptic curves: one shared key stands for the pair, 60 times as fast."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from compliance_gate.domain.ledger import canonical
from media_gateway.adapters.clearance_jws import AUDIENCE
from media_gateway.domain.admission import Claims


class WorldSigner:
    """Implements compliance_gate.ports.Signer."""

    def __init__(self, key: bytes = b"world", key_id: str = "w1") -> None:
        self.key_id, self._key = key_id, key

    def sign(self, claims: Mapping[str, Any]) -> str:
        """header.payload.signature, each base64url, as a compact JWS."""
        header = canonical({"alg": "HS256", "kid": self.key_id})
        signed = f"{_encoded(header.encode())}.{_encoded(canonical(claims).encode())}"
        return f"{signed}.{self._signature(signed)}"

    def verify(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token that this key signed, or None."""
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(signed)):
            return None
        found: Any = json.loads(_decoded(signed.partition(".")[2]))
        return found if isinstance(found, dict) else None

    @property
    def key_ids(self) -> Sequence[str]:
        return [self.key_id]

    def public_keys(self) -> Mapping[str, Any]:
        """There is none."""
        return {"keys": []}

    async def refresh(self) -> bool:
        """The world's key stays."""
        return False

    def _signature(self, signed: str) -> str:
        return _encoded(hmac.new(self._key, signed.encode(), hashlib.sha256).digest())


class WorldClearances:
    """Implements media_gateway.ports.Clearances for tokens of a WorldSigner."""

    def __init__(self, signer: WorldSigner) -> None:
        self._signer = signer

    def claims(self, token: str) -> Claims | None:
        """The claims, or None for anything that the gate did not sign for gateways."""
        claims = self._signer.verify(token)
        try:
            return None if claims is None or claims["aud"] != AUDIENCE else _read(claims)
        except (KeyError, TypeError, ValueError):
            return None


def _read(claims: Mapping[str, Any]) -> Claims:
    return Claims(
        attempt_id=str(claims["sub"]),
        country=str(claims["country"]),
        number_class=str(claims["class"]),
        modes=frozenset(claims["modes"]),
        agent_guaranteed=bool(claims["agent_guaranteed"]),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
