"""A wrap-up is answered after what it promises holds: an opt-out is at the gate first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from outdial_contracts.headers import event_id


def said(office: Any) -> list[tuple[str, str | None]]:
    return [(e.code, e.suppression_id) for e in office.published if e.TOPIC == "agent.wrapup"]


async def test_opt_out_is_not_acknowledged_while_the_gate_is_away(office: Any) -> None:
    await office.sign_in()
    await office.progress("ASSIGNED")
    await office.progress("BRIDGED")
    office.gate.away = True
    body = {"attempt_id": office.call, "code": "DNC_REQUESTED"}
    reply = await office.agent("wrap-up", body)
    assert (reply.status, reply.content_type) == (503, "application/problem+json")
    assert said(office) == []
    assert (await office.say("available")).availability == "WRAPUP", "he has it still to say"
    office.gate.away = False
    assert (await office.agent("wrap-up", body)).status == 204
    suppression_id = event_id(f"dnc:{office.call}", "suppression")
    assert office.gate.suppressed == [(suppression_id, office.call)]
    assert said(office) == [("DNC_REQUESTED", suppression_id)]


async def test_opt_out_of_an_attempt_that_the_gate_does_not_know_is_not_acknowledged(office: Any) -> None:
    await office.sign_in()
    office.gate.unknown = True
    assert (await office.agent("wrap-up", {"attempt_id": office.call, "code": "DNC_REQUESTED"})).status == 404
    assert said(office) == []


async def test_other_codes_do_not_need_the_gate(office: Any) -> None:
    await office.sign_in()
    office.gate.away = True
    assert (await office.agent("wrap-up", {"attempt_id": office.call, "code": "INTERESTED"})).status == 204
    assert said(office) == [("INTERESTED", None)]


async def test_a_callback_time_is_kept_in_utc(office: Any) -> None:
    await office.sign_in()
    body = {"attempt_id": office.call, "code": "CALLBACK", "callback_at": "2026-11-18T10:00:00-05:00"}
    assert (await office.agent("wrap-up", body)).status == 204
    assert office.published[-1].callback_at == datetime(2026, 11, 18, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "change, field",
    [
        ({"code": "ABANDONED"}, "code"),
        ({"code": None}, "code"),
        ({"attempt_id": "x"}, "attempt_id"),
        ({"attempt_id": None}, "attempt_id"),
        ({"callback_at": "tomorrow"}, "callback_at"),
        ({"callback_at": "2026-11-18T10:00:00"}, "callback_at"),
        ({"campaign_id": 5}, "campaign_id"),
    ],
)
async def test_a_bad_wrap_up_names_the_field_and_asks_no_gate(office: Any, change: Any, field: str) -> None:
    await office.sign_in()
    reply = await office.agent("wrap-up", {"attempt_id": office.call, "code": "DNC_REQUESTED"} | change)
    assert reply.status == 422
    assert reply.body["detail"].startswith(field)
    assert office.gate.suppressed == []
