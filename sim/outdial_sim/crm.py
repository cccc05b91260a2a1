"""A CRM seen from outside: posts leads to lead-router one by one, posts opt-outs, keeps the webhooks it receives."""

import base64
import csv
import hashlib
import hmac
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from outdial_sim.http_server import Reply, Request, serving
from outdial_sim.journal import Journal
from outdial_sim.stopping import until_signalled

NAMESPACE = uuid.UUID("6f1d7c0e-2a53-5f0b-9a56-0d6f0c1b7e11")
RETRY_FIRST_SECONDS = 0.2
RETRY_MOST_SECONDS = 5.0
AWAY = frozenset({408, 425, 429, 500, 502, 503, 504})
WEBHOOK_TOLERANCE_SECONDS = 300.0


class Published(Counter[str]):
    """Answers by HTTP status, as text."""


def lead_documents(path: Path, campaign_id: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(Idempotency-Key, document) of each row of a leads.csv: its columns that are not empty, and campaign_id.

    The key is UUIDv5 of file name and lead_id, so that publishing a file again repeats nothing.
    """
    with path.open(encoding="utf-8", newline="") as file:
        for place, row in enumerate(csv.DictReader(file), start=1):
            document = {name: value for name, value in row.items() if isinstance(name, str) and value}
            name = f"{path.name}:{campaign_id}:{row.get('lead_id') or place}"
            yield str(uuid.uuid5(NAMESPACE, name)), {**document, "campaign_id": campaign_id}


class CrmClient:
    """Posts with an Idempotency-Key and repeats with the same key while the service is away."""

    def __init__(self, http: httpx.Client, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._http = http
        self._sleep = sleep

    def post(self, path: str, key: str, document: dict[str, Any]) -> int:
        """The final HTTP status."""
        delay = RETRY_FIRST_SECONDS
        while True:
            status = self._try(path, key, document)
            if status is not None and status not in AWAY:
                return status
            self._sleep(delay)
            delay = min(2 * delay, RETRY_MOST_SECONDS)

    def publish(self, path: Path, campaign_id: str, *, per_second: float | None = None) -> Published:
        """Post every row of a leads.csv to /v1/leads, at most `per_second` of them."""
        answers = Published()
        for key, document in lead_documents(path, campaign_id):
            answers[str(self.post("/v1/leads", key, document))] += 1
            if per_second:
                self._sleep(1.0 / per_second)
        return answers

    def suppress(self, *, phone: str | None, person_id: str | None, seller_id: str) -> int:
        """Post one opt-out to /v1/opt-outs; the final HTTP status."""
        who = {name: value for name, value in (("phone", phone), ("person_id", person_id)) if value}
        return self.post("/v1/opt-outs", str(uuid.uuid4()), {**who, "seller_id": seller_id, "source": "CRM"})

    def _try(self, path: str, key: str, document: dict[str, Any]) -> int | None:
        try:
            return self._http.post(path, json=document, headers={"Idempotency-Key": key}).status_code
        except httpx.TransportError:
            return None


class WebhookReceiver:
    """Keeps every webhook as a line of crm.jsonl; with a secret, unsigned ones are refused (Standard Webhooks 1.0)."""

    def __init__(self, journal: Journal, secret: str, *, wall: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._secret = secret
        self._wall = wall
        self._seen: set[str] = set()

    def handle(self, request: Request) -> Reply:
        """204 when kept; 401 for a bad signature; 400 for what is not JSON."""
        if request.method != "POST":
            return Reply.problem(405, "method not allowed")
        if self._secret and not self._signed(request):
            return Reply.problem(401, "bad signature")
        try:
            document = json.loads(request.body)
        except ValueError:
            return Reply.problem(400, "the body must be JSON")
        name = request.headers.get("webhook-id", "")
        self._journal.write(
            self._wall(), path=request.path, webhook_id=name or None, repeated=name in self._seen, body=document
        )
        self._seen.add(name)
        return Reply(status=204)

    def _signed(self, request: Request) -> bool:
        """webhook-signature holds `v1,` + base64(HMAC-SHA256(secret, id.timestamp.body)), maybe several, spaced."""
        name, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not stamp.isdigit() or abs(self._wall() - int(stamp)) > WEBHOOK_TOLERANCE_SECONDS:
            return False
        key = secret_bytes(self._secret)
        expected = sign(key, f"{name}.{stamp}.".encode() + request.body)
        offered = request.headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(expected, one.removeprefix("v1,")) for one in offered if one.startswith("v1,"))


def secret_bytes(secret: str) -> bytes:
    """`whsec_` + base64, or the text itself as UTF-8."""
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"))
    return secret.encode()


def sign(key: bytes, content: bytes) -> str:
    """base64(HMAC-SHA256)."""
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


async def receive(host: str, port: int, log: Path, secret: str) -> None:
    """Serve webhooks until SIGINT or SIGTERM."""
    with Journal(log) as journal:
        async with serving(host, port, WebhookReceiver(journal, secret).handle):
            await until_signalled()
