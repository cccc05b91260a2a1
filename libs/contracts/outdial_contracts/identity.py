"""Ids and tokens that two services must make alike (architecture.md, Identity; formats.md, Words)."""

from __future__ import annotations

import base64
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

LEAD_NAMESPACE = uuid.UUID("0d5a2b44-8d5c-5c0e-9a4f-6f7574646961")
TOKEN_CHARACTERS = 22


def lead_id(source: str, external_id: str) -> str:
    """UUIDv5 of the submitter's name and its own id of the lead."""
    return str(uuid.uuid5(LEAD_NAMESPACE, f"{source}\x1f{external_id}"))


def attempt_id(lead: str, offer_no: int) -> str:
    """UUIDv5(lead_id, offer_no); offer_no counts from 1."""
    return str(uuid.uuid5(uuid.UUID(lead), str(offer_no)))


def trace_id(attempt: str) -> str:
    """The attempt's trace: its 16 bytes as 32 hex digits."""
    return uuid.UUID(attempt).hex


@dataclass(frozen=True)
class TokenKeys:
    """Versioned HMAC keys, never dropped; known to lead-router and gate only."""

    keys: Mapping[int, bytes]

    @classmethod
    def parse(cls, text: str) -> TokenKeys:
        """From `1:hex,2:hex`; the highest version writes, all are matched.

        Raises:
            ValueError: no key, a version that is no number, or a key under 16 bytes.
        """
        keys = {}
        for part in filter(None, text.split(",")):
            version, _, secret = part.partition(":")
            keys[int(version)] = bytes.fromhex(secret)
        if not keys or min(map(len, keys.values())) < 16:
            raise ValueError("token keys: want version:hex of at least 16 bytes, comma between versions")
        return cls(keys)

    def person_token(self, person_id: str) -> str:
        """Token of a person under the newest key."""
        return self._token(max(self.keys), f"p:{person_id}")

    def callee_token(self, e164: str) -> str:
        """Token of a number (E.164) under the newest key."""
        return self._token(max(self.keys), f"n:{e164}")

    def person_tokens(self, person_id: str) -> tuple[str, ...]:
        """Tokens of a person under every key version."""
        return tuple(self._token(version, f"p:{person_id}") for version in sorted(self.keys))

    def callee_tokens(self, e164: str) -> tuple[str, ...]:
        """Tokens of a number under every key version."""
        return tuple(self._token(version, f"n:{e164}") for version in sorted(self.keys))

    def _token(self, version: int, what: str) -> str:
        digest = hmac.digest(self.keys[version], what.encode(), "sha256")
        return f"{version}.{base64.urlsafe_b64encode(digest).decode()[:TOKEN_CHARACTERS]}"
