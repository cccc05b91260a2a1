"""The CRM: leads with stable keys, repeats while the router is away."""

from collections.abc import Callable
from pathlib import Path

import httpx

from outdial_sim.crm import CrmClient, lead_documents

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
