"""The CRM's receiver: takes what is signed and new, refuses what is forged or stale, fails when it is told to."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from outdial_sim.crm_webhooks import WebhookReceiver, recount_webhooks
from outdial_sim.http_server import Request, serving
from outdial_sim.journal import Journal, read

SECRET = "whsec_" + base64.b64encode(b"a" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"b" * 32).decode()
BODY = b'{"type":"call.disposition","data":{"code":"CONNECTED"}}'


def delivery(
    webhook_id: str = "w1", *, body: bytes = BODY, secret: str = SECRET, age_seconds: float = 0.0, path: str = "/hook"
) -> Request:
    at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, body.decode()),
    }
    return Request(method="POST", path=path, headers=headers, body=body)


def control(**wanted: Any) -> Request:
    return Request(method="POST", path="/control", headers={}, body=json.dumps(wanted).encode())


class Wall:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "crm.jsonl"


@pytest.fixture
def receiver(log: Path) -> Iterator[WebhookReceiver]:
    with Journal(log) as journal:
        yield WebhookReceiver(journal, SECRET, wall=Wall())


def test_a_delivery_is_taken_once_however_often_it_comes(receiver: WebhookReceiver, log: Path) -> None:
    assert [receiver.handle(delivery()).status for _ in range(3)] == [204, 204, 204]
    assert receiver.handle(delivery("w2")).status == 204
    counted = recount_webhooks(log)
    assert (counted.taken, counted.repeated, counted.by_type) == (2, 2, {"call.disposition": 2})
    assert read(log)[0]["body"]["data"] == {"code": "CONNECTED"}


FORGERIES: dict[str, Callable[[], Request]] = {
    "unsigned": lambda: Request(method="POST", path="/hook", headers={}, body=BODY),
    "wrong key": lambda: delivery(secret=OTHER),
    "stale": lambda: delivery(age_seconds=301),
    "early": lambda: delivery(age_seconds=-330),
    "altered": lambda: replace(delivery(), body=BODY + b" "),
    "other id": lambda: altered("webhook-id", "w9"),
    "no signature": lambda: altered("webhook-signature", "v1"),
    "no base64": lambda: altered("webhook-signature", "v1,*"),
    "no UTF-8": lambda: replace(delivery(), body=b"\xff"),
}


def altered(header: str, value: str) -> Request:
    genuine = delivery()
    return replace(genuine, headers={**genuine.headers, header: value})


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_what_is_forged_altered_or_stale_is_refused(receiver: WebhookReceiver, log: Path, forgery: str) -> None:
    assert receiver.handle(FORGERIES[forgery]()).status == 401
    assert (recount_webhooks(log).forged, recount_webhooks(log).taken) == (1, 0)


def test_either_signature_of_a_rotation_will_do(receiver: WebhookReceiver) -> None:
    old, new = delivery(secret=SECRET), delivery(secret=OTHER)
    both = f"{new.headers['webhook-signature']} {old.headers['webhook-signature']}"
    rotated = Request(method="POST", path="/hook", headers={**old.headers, "webhook-signature": both}, body=BODY)
    assert receiver.handle(rotated).status == 204


def test_it_fails_as_told_for_as_long_as_told(log: Path) -> None:
    wall = Wall()
    with Journal(log) as journal:
        receiver = WebhookReceiver(journal, SECRET, wall=wall)
        assert receiver.handle(control(status=429, seconds=5, retry_after_seconds=2)).status == 204
        failed = receiver.handle(delivery())
        assert (failed.status, failed.headers) == (429, {"Retry-After": "2"})
        wall.at += 5
        assert receiver.handle(delivery()).status == 204
        receiver.handle(control(status=503, seconds=60, types=["lead.state"]))
        assert receiver.handle(delivery("w2")).status == 204, "of another type"
        receiver.handle(control(status=500, seconds=60, hold_seconds=3))
        assert receiver.handle(delivery("w3")).hold_seconds == 3
        receiver.handle(control())
        assert receiver.handle(delivery("w3")).status == 204
    counted = recount_webhooks(log)
    assert (counted.taken, counted.repeated, counted.failed) == (3, 0, 2), "what failed was not taken"


@pytest.mark.parametrize("wanted", [{"status": 503}, {"seconds": 1}, {"status": 1, "seconds": 1}, {"status": "x"}])
def test_a_failure_that_makes_no_sense_is_refused(receiver: WebhookReceiver, wanted: dict[str, Any]) -> None:
    assert receiver.handle(control(**wanted)).status == 422


def test_a_restarted_crm_knows_what_it_took(receiver: WebhookReceiver, log: Path) -> None:
    receiver.handle(delivery())
    with Journal(log) as journal:
        again = WebhookReceiver(journal, SECRET)
        again.remember(log)
        assert again.handle(delivery()).status == 204
    assert (recount_webhooks(log).taken, recount_webhooks(log).repeated) == (1, 1)


def test_a_body_that_is_no_json_object_is_refused(receiver: WebhookReceiver) -> None:
    assert receiver.handle(delivery(body=b"{")).status == 400
    assert receiver.handle(delivery(body=b"[]")).status == 400


async def test_deliveries_come_over_http(receiver: WebhookReceiver) -> None:
    async with (
        serving("127.0.0.1", 0, receiver.handle) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        wanted = delivery()
        assert (await http.post("/hook", content=wanted.body, headers=wanted.headers)).status_code == 204
        assert (await http.get("/stats")).json() == {"taken": 1}
        assert (await http.put("/hook")).status_code == 405
