"""A sign-in as a token that needs no memory: who, which team, which campaigns, under an HMAC of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass

SIGNATURE_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Session:
    """Who signed in."""

    agent_id: str
    team_id: str
    campaign_ids: tuple[str, ...]


def seal(session: Session, secret: bytes) -> str:
    """The token of a session."""
    body = json.dumps(asdict(session), sort_keys=True).encode()
    return base64.urlsafe_b64encode(_signature(body, secret) + body).decode()


def unseal(token: str, secret: bytes) -> Session | None:
    """The session of a token of ours, else None."""
    try:
        raw = base64.urlsafe_b64decode(token)
    except ValueError:
        return None
    signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(body, secret)):
        return None
    fields = json.loads(body)
    return Session(agent_id=fields["agent_id"], team_id=fields["team_id"], campaign_ids=tuple(fields["campaign_ids"]))


def sip_password(team_id: str, agent_id: str, secret: bytes) -> str:
    """Of the agent's phone; the gateway derives the same."""
    return hmac.new(secret, f"{team_id}.{agent_id}".encode(), hashlib.sha256).hexdigest()[:32]


def _signature(body: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, b"session:" + body, hashlib.sha256).digest()
