"""Bodies of the wrong shape: problem+json that names field, shape and rule; never a value, never a 500."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bad_input.stand_in import StandIn
from campaign_run import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
LEAD = {"lead_id": "H000", "person_id": "http-person-0", "phone": "+15185550101", "consumer": False, "segment": "warm"}
PROBLEM = "application/problem+json"


@pytest.mark.parametrize("key", [None, "", "k" * 300])
def test_a_lead_without_a_usable_idempotency_key_is_refused(hand: StandIn, key: str | None) -> None:
    reply = _post(hand, _body(hand, lead_id="H-key"), key)
    assert (reply.status_code, reply.headers["content-type"]) == (400, PROBLEM)
    assert "Idempotency-Key" in reply.json()["detail"]
    print(f"shown: {reply.status_code} {reply.json()['detail']}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"lead_id=H1&phone=%2B15185550102",
        b"[1, 2]",
        b'"text"',
        b"null",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"campaign_id": "bad-input", "phone": ["+15185550102"]}',
        b'{"campaign_id": {"id": "bad-input"}}',
    ],
)
def test_a_body_that_is_no_flat_json_object_is_refused(hand: StandIn, body: bytes) -> None:
    reply = _post(hand, body, f"no-lead-{len(body)}-{hash(body)}")
    assert (reply.status_code, reply.headers["content-type"]) == (400, PROBLEM)
    assert "JSON object" in reply.json()["detail"]
    assert "5185550102" not in reply.text


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"phone": None}, "MISSING_FIELD", "phone"),
        ({"phone": "+1518555"}, "BAD_NUMBER", "phone"),
        ({"phone": True}, "BAD_NUMBER", "phone"),
        ({"person_id": ""}, "MISSING_FIELD", "person_id"),
        ({"score": "plenty"}, "BAD_SCORE", "score"),
        ({"score": -1}, "BAD_SCORE", "score"),
        ({"score": float("nan")}, "BAD_SCORE", "score"),
        ({"consumer": 7}, "BAD_ENUM", "consumer"),
        ({"segment": 3.5}, "BAD_ENUM", "segment"),
        ({"expires_at": 1999999999}, "BAD_TIME", "expires_at"),
        ({"expires_at": "2026-11-17T14:00:00Z"}, "EXPIRED", "expires_at"),
        ({"first_name": "Wilhelmina" * 40}, "TOO_LONG", "first_name"),
        ({"first_name": "lone \ud800 surrogate"}, "BAD_ENCODING", "first_name"),
        ({"first_name": "nul \x00"}, "BAD_ENCODING", "first_name"),
        ({"time_zone": "Mars/Olympus"}, "BAD_ENUM", "time_zone"),
        ({"default_region": "Mordor", "phone": "5185550103"}, "BAD_ENUM", "default_region"),
    ],
)
def test_a_wrong_field_is_named_with_its_shape(hand: StandIn, changes: dict[str, Any], reason: str, field: str) -> None:
    name = f"H-{field}-{reason}-{len(repr(changes))}"
    reply = _post(hand, _body(hand, lead_id=name, person_id=name) | {**changes}, name)
    assert (reply.status_code, reply.headers["content-type"]) == (422, PROBLEM)
    problem = reply.json()
    assert (problem["reason"], problem["field"]) == (reason, field)
    assert problem["shape"]
    for value in changes.values():
        text = str(value)
        assert len(text) < 4 or text not in reply.text
    print(f"shown: 422 {problem['detail']}")


def test_a_lead_for_an_unknown_campaign_is_not_found(hand: StandIn) -> None:
    for n, campaign_id in enumerate(["nobody-knows", "a\x00b", "\ud800", 12]):
        reply = _post(hand, _body(hand) | {"campaign_id": campaign_id}, f"unknown-campaign-{n}")
        assert (reply.status_code, reply.headers["content-type"]) == (404, PROBLEM)
        assert "campaign_id" in reply.json()["detail"]


def test_an_idempotency_key_makes_one_lead_and_may_not_carry_another(hand: StandIn) -> None:
    body = _body(hand, lead_id="H-once", person_id="http-once")
    first, second = _post(hand, body, "key-once"), _post(hand, body, "key-once")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    other = _post(hand, body | {"person_id": "http-other"}, "key-once")
    assert (other.status_code, other.headers["content-type"]) == (409, PROBLEM)
    assert "Idempotency-Key" in other.json()["detail"]
    again = _post(hand, body, "key-twice")
    assert (again.status_code, again.json()["reason"]) == (422, "DUPLICATE_LEAD_ID")
    print(f"shown: 201, repeat 200, reuse 409: {other.json()['detail']}; same lead by another key: 422")


def test_a_refusal_is_repeated_under_its_key(hand: StandIn) -> None:
    body = _body(hand, lead_id="H-refused", person_id="http-refused", phone="+1518")
    first, second = _post(hand, body, "key-refused"), _post(hand, body, "key-refused")
    assert (first.status_code, second.status_code) == (422, 422)
    assert first.json() == second.json()


def test_a_lead_that_expires_is_never_offered(hand: StandIn) -> None:
    expires_at = hand.now().replace(microsecond=0).isoformat()
    name = "H-expires"
    late = _post(hand, _body(hand, lead_id=name, person_id=name, expires_at=expires_at), "key-late")
    assert (late.status_code, late.json()["reason"]) == (422, "EXPIRED")
    soon = _soon(hand, 3)
    reply = _post(hand, _body(hand, lead_id=name, person_id=name, expires_at=soon), "key-soon")
    assert reply.status_code == 201, reply.text
    lead_id = reply.json()["lead_id"]
    wait_for(lambda: hand.lead_answer(lead_id).json()["status"] == "EXPIRED", "the lead's expiry")
    assert hand.lead_answer(lead_id).json()["attempts"] == 0
    print("shown: a lead past expires_at is refused with EXPIRED; one that expires while it waits ends EXPIRED")


@pytest.mark.parametrize(
    ("service", "path", "body"),
    [
        ("console", "/v1/campaigns", b"id: [unclosed"),
        ("console", "/v1/campaigns", b"- a\n- list\n"),
        ("console", "/v1/campaigns", b"id: bad-input\n"),
        ("console", "/v1/campaigns", b"\xff\xfe"),
        ("console", "/v1/campaigns/bad-input/state", b'{"state": "SPRINTING"}'),
        ("console", "/v1/campaigns/bad-input/state", b"[]"),
        ("console", "/v1/documents", b'{"kind": "ROUTE"}'),
        ("console", "/v1/documents", b'{"kind": 7}'),
        ("console", "/v1/stops", b'{"scope": "moon", "stopped": true, "reason": "x"}'),
        ("console", "/v1/stops", b'{"scope": "all", "stopped": "yes", "reason": "x"}'),
        ("compliance-gate", "/v1/suppressions", b"\xff\xfe"),
        ("compliance-gate", "/v1/opt-outs", b"not json"),
        ("compliance-gate", "/v1/opt-outs", b'{"phone": 15185550104}'),
        ("compliance-gate", "/v1/opt-outs", b'{"phone": "bogus-number-4711"}'),
        ("compliance-gate", "/v1/preflight", b'{"campaign": 1, "leads": {}}'),
        ("compliance-gate", "/v1/preflight", b"[" * 100_000),
        ("compliance-gate", "/v1/opt-outs", b"[" * 100_000),
    ],
)
def test_other_doors_answer_a_wrong_shape_with_a_problem(hand: StandIn, service: str, path: str, body: bytes) -> None:
    reply = httpx.post(f"{hand.stack.addresses.url(service)}{path}", content=body, timeout=10)
    assert 400 <= reply.status_code < 500, reply.text
    assert reply.headers["content-type"] == PROBLEM
    assert reply.json()["detail"]
    assert "4711" not in reply.text
    print(f"shown: {service} {path}: {reply.status_code} {reply.json()['detail']}")


@pytest.mark.parametrize(
    "changes",
    [
        {"phone": 15185550104},
        {"phone": None},
        {"phone": "\x00"},
        {"person_id": 7},
        {"address": "New York"},
        {"address": {"region": 5, "time_zone": "Mars/Olympus"}},
        {"consents": [{"level": "SWORN"}]},
        {"consents": "none"},
        {"consents": [{"seller_id": "S1", "purpose": "any", "level": "PEWC", "granted_at": "2026-01-01T00:00:00"}]},
        {"line_type": "SATELLITE"},
        {"consumer": "perhaps"},
        {"score": []},
        {"lead_id": {}},
    ],
)
def test_preflight_of_a_row_of_the_wrong_shape_is_a_problem_or_an_answer(
    hand: StandIn, changes: dict[str, Any]
) -> None:
    """A row that can't be read is refused; one that can be read but not called is counted as blocked."""
    row = {
        **{"lead_id": "P1", "row": 1, "person_id": "p", "phone": "+15185550104", "line_type": "LANDLINE"},
        **{"consumer": False, "address": {}, "consents": [], "segment": "WARM", "score": 0.5},
    }
    url = f"{hand.stack.addresses.url('compliance-gate')}/v1/preflight"
    reply = httpx.post(url, json={"campaign": hand.document(), "leads": [row | changes]}, timeout=10)
    assert reply.status_code in (200, 422), reply.text
    if reply.status_code == 422:
        assert reply.headers["content-type"] == PROBLEM
    print(f"shown: preflight with {sorted(changes)} of another shape: {reply.status_code}")


def _soon(hand: StandIn, seconds: int) -> str:
    return (hand.now() + timedelta(seconds=seconds)).isoformat()


def _body(hand: StandIn, **changes: Any) -> dict[str, Any]:
    return {**LEAD, "campaign_id": hand.campaign_id, "source": "http-crm", "phone": hand.new_number(), **changes}


def _post(hand: StandIn, body: bytes | dict[str, Any], key: str | None) -> httpx.Response:
    headers = {"content-type": "application/json"} | ({} if key is None else {"idempotency-key": key})
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{hand.stack.addresses.url('lead-router')}/v1/leads", content=raw, headers=headers, timeout=10)
