"""The CRM: leads with stable keys, repeats while the router is away, and webhooks that must be signed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from outdial_sim.crm import CrmClient, WebhookReceiver, lead_documents, secret_bytes, sign
from outdial_sim.http_server import Request, serving
from outdial_sim.journal import Journal, read

LEADS = (
    'lead_id,person_id,phone,first_name,email\nL1,P1,+12125550123,"Ann, B",\nL2,P2,+12125550124,Bo,bo@example.test\n'
)


def client(handler: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """An HTTP client of a fake service."""
    return httpx.Client(base_url="http://router", transport=httpx.MockTransport(handler))


def test_a_row_keeps_its_key_when_the_file_is_published_again(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text(LEADS)
    first, second = list(lead_documents(file, "spring")), list(lead_documents(file, "spring"))
    assert first == second
    assert first[0][0] != first[1][0]
    assert first[0][1] == {
        "lead_id": "L1",
        "person_id": "P1",
        "phone": "+12125550123",
        "first_name": "Ann, B",
        "campaign_id": "spring",
    }


def test_a_router_that_is_away_gets_the_same_key_again(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text(LEADS)
    keys: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(503 if len(keys) == 2 else 202)

    with client(handler) as http:
        answers = CrmClient(http, sleep=lambda seconds: None).publish(file, "spring")
    assert answers == {"202": 2}
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_a_refused_lead_is_counted_and_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text(LEADS)
    with client(lambda request: httpx.Response(422)) as http:
        assert CrmClient(http).publish(file, "spring") == {"422": 2}


async def test_webhooks_are_kept_and_unsigned_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "crm.jsonl"
    body = b'{"code":"CONNECTED"}'
    signature = sign(secret_bytes("s"), b"w1.1000." + body)
    headers = {"webhook-id": "w1", "webhook-timestamp": "1000", "webhook-signature": f"v1,{signature}"}
    with Journal(path) as journal:
        receiver = WebhookReceiver(journal, "s", wall=lambda: 1001.0)
        async with (
            serving("127.0.0.1", 0, receiver.handle) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
        ):
            statuses = [
                (await http.post("/hook", content=body, headers=headers)).status_code,
                (await http.post("/hook", content=body, headers=headers)).status_code,
                (await http.post("/hook", content=body + b" ", headers=headers)).status_code,
                (await http.post("/hook", content=body)).status_code,
                (await http.get("/hook")).status_code,
            ]
    assert statuses == [204, 204, 401, 401, 405]
    assert [(line["webhook_id"], line["repeated"]) for line in read(path)] == [("w1", False), ("w1", True)]


def test_a_body_that_is_not_json_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "crm.jsonl") as journal:
        receiver = WebhookReceiver(journal, "")
        reply: Any = receiver.handle(Request(method="POST", path="/hook", headers={}, body=b"{"))
    assert reply.status == 400
