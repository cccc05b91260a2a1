"""Compact JWS with alg `Ed25519` (RFC 8037, RFC 9864) over canonical JSON; pure functions of key and bytes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from joserfc.jws import JWSRegistry

from compliance_gate.domain.ledger import canonical

ALGORITHM: Final = "Ed25519"


class NoPrivateKey(ValueError):
    """A key that only verifies was to sign."""


REGISTRY = JWSRegistry(algorithms=[ALGORITHM])


def sign(claims: Mapping[str, Any], key: OKPKey) -> str:
    """A compact JWS; its header names the key.

    Put together here: a library that also chooses algorithms takes longer than Ed25519 does (bench/RESULTS.md).

    Raises:
        NoPrivateKey: the key has no private Ed25519 part.
    """
    content = f"{_base64(canonical({'alg': ALGORITHM, 'kid': key.kid}).encode())}.{_base64(canonical(claims).encode())}"
    private = key.private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise NoPrivateKey(f"key {key.kid} can't sign")
    return f"{content}.{_base64(private.sign(content.encode()))}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_part(key: OKPKey) -> dict[str, Any]:
    """The JWK without its private part."""
    return {**key.as_dict(private=False), "alg": ALGORITHM, "use": "sig"}


def verify(token: str, keys: KeySet) -> Mapping[str, Any] | None:
    """The JSON claims of a compact JWS, or None unless one of the keys signed exactly these bytes.

    Base64url leaves spare bits in a last character; a token that is not in its one canonical form is refused too.
    """
    try:
        if not all(_is_canonical_base64(part) for part in token.split(".")):
            return None
        claims = json.loads(jws.deserialize_compact(token, keys, registry=REGISTRY).payload)
    except (ValueError, JoseError, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


def key_id(token: str) -> str:
    """The key id that a token's header names, believed or not; "unknown" where it can't be read."""
    try:
        header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "==="))
    except (ValueError, RecursionError):
        return "unknown"
    named = header.get("kid") if isinstance(header, dict) else None
    return named if isinstance(named, str) and named.isprintable() else "unknown"


def _is_canonical_base64(part: str) -> bool:
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=") == part
