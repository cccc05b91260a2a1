"""The CRM's webhook receiver: verifies with the standardwebhooks package, takes each id once, fails when told to."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from outdial_sim.http_server import Reply, Request, serving
from outdial_sim.journal import Journal, read
from outdial_sim.stopping import until_signalled

CONTROL, STATS, HEALTH = "/control", "/stats", "/healthz"
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Mood:
    """How the receiver answers for a while, instead of taking deliveries."""

    status: int
    until: float
    """Real unix time."""
    retry_after_seconds: int | None = None
    hold_seconds: float = 0.0
    """Kept back so long: the sender's time-out comes first."""
    types: frozenset[str] = frozenset()
    """Only of these; of every type when empty."""

    def meets(self, kind: str, now: float) -> bool:
        """Whether a delivery of this type meets it now."""
        return now < self.until and (not self.types or kind in self.types)

    def reply(self) -> Reply:
        """The failure."""
        asked = self.retry_after_seconds
        headers = {} if asked is None else {"Retry-After": str(asked)}
        return Reply(status=self.status, headers=headers, hold_seconds=self.hold_seconds)


class WebhookReceiver:
    """Keeps every delivery as a line of crm.jsonl: taken, repeated, failed or forged.

    POST any path delivers; POST /control {"status", "seconds", "retry_after_seconds", "hold_seconds", "types"} sets how
    it fails and for how long ({} ends it); GET /stats counts. Without a secret nothing is verified.
    """

    def __init__(self, journal: Journal, secret: str, *, wall: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._schemes = [Webhook(one) for one in secret.split()]
        self._wall = wall
        self._seen: set[str] = set()
        self._mood: Mood | None = None
        self._counts: Counter[str] = Counter()

    def remember(self, log: Path) -> None:
        """What an earlier run of this CRM took is not taken again."""
        self._seen |= {line["webhook_id"] for line in read(log) if line["event"] == "taken" and "webhook_id" in line}

    def handle(self, request: Request) -> Reply:
        """204 when kept; 401 for a bad signature; 400 for what is not a JSON object; or the failure it was told."""
        if request.method == "GET" and request.path in (HEALTH, STATS):
            return Reply.json(200, dict(self._counts))
        if request.method != "POST":
            return Reply.problem(405, "method not allowed")
        if request.path == CONTROL:
            return self._control(request)
        if not self._verified(request):
            self._note("forged", request)
            return Reply.problem(401, "bad signature")
        document = _object(request.body)
        if document is None:
            return Reply.problem(400, "the body must be a JSON object")
        return self._take(request, document)

    def _take(self, request: Request, document: dict[str, Any]) -> Reply:
        mood, kind = self._mood, str(document.get("type", ""))
        name = request.headers.get("webhook-id", "")
        if mood is not None and mood.meets(kind, self._wall()):
            self._note("failed", request, type=kind, status=mood.status)
            return mood.reply()
        self._note("repeated" if name in self._seen else "taken", request, type=kind, body=document)
        self._seen.add(name)
        return Reply(status=204)

    def _control(self, request: Request) -> Reply:
        wanted = _object(request.body)
        if wanted is None:
            return Reply.problem(400, "the body must be a JSON object")
        try:
            self._mood = _mood(wanted, self._wall()) if wanted else None
        except (KeyError, TypeError, ValueError) as error:
            return Reply.problem(422, f"{type(error).__name__}: want status and seconds")
        return Reply(status=204)

    def _verified(self, request: Request) -> bool:
        """By any secret; the package also refuses a timestamp that is five minutes off."""
        if not self._schemes:
            return True
        return any(_passes(scheme, request) for scheme in self._schemes)

    def _note(self, event: str, request: Request, **more: Any) -> None:
        self._counts[event] += 1
        name = request.headers.get("webhook-id") or None
        self._journal.write(self._wall(), event=event, path=request.path, webhook_id=name, **more)


@dataclass(kw_only=True)
class WebhookCount:
    """What a crm.jsonl holds."""

    taken: int = 0
    repeated: int = 0
    failed: int = 0
    forged: int = 0
    by_type: dict[str, int] = field(default_factory=dict)
    """Of those taken."""


def recount_webhooks(path: Path) -> WebhookCount:
    """Counts a crm.jsonl. A webhook-id taken twice raises ValueError: the receiver failed to deduplicate."""
    lines = read(path)
    events = Counter(line["event"] for line in lines)
    taken = [line for line in lines if line["event"] == "taken"]
    if len({line.get("webhook_id") for line in taken}) != len(taken):
        raise ValueError(f"{path.name}: a webhook-id was taken twice")
    return WebhookCount(
        taken=events["taken"],
        repeated=events["repeated"],
        failed=events["failed"],
        forged=events["forged"],
        by_type=dict(Counter(line["type"] for line in taken)),
    )


async def receive(host: str, port: int, log: Path, secret: str) -> None:
    """Serve webhooks until SIGINT or SIGTERM; ids that the journal holds already are repeats."""
    with Journal(log) as journal:
        receiver = WebhookReceiver(journal, secret)
        receiver.remember(log)
        async with serving(host, port, receiver.handle):
            await until_signalled()


def _passes(scheme: Webhook, request: Request) -> bool:
    try:
        scheme.verify(request.body, request.headers, json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: not UTF-8, or a signature that has no shape
        return False
    return True


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _mood(wanted: dict[str, Any], now: float) -> Mood:
    retry_after = wanted.get("retry_after_seconds")
    return Mood(
        status=HTTPStatus(int(wanted["status"])).value,
        until=now + min(float(wanted["seconds"]), LONGEST_SECONDS),
        retry_after_seconds=None if retry_after is None else int(retry_after),
        hold_seconds=float(wanted.get("hold_seconds", 0.0)),
        types=frozenset(str(kind) for kind in wanted.get("types", ())),
    )
