"""A session token needs no memory of ours, and nobody else can make one."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.sessions import Session, seal, sip_password, unseal

SECRET = b"s" * 16
SESSION = Session(agent_id="a1", team_id="blue", campaign_ids=("c1", "c2"))


@given(st.builds(Session, agent_id=st.text(), team_id=st.text(), campaign_ids=st.lists(st.text()).map(tuple)))
def test_a_sealed_session_comes_back(session: Session) -> None:
    assert unseal(seal(session, SECRET), SECRET) == session


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_tampered_token_is_none_of_ours(place: int, flip: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(seal(SESSION, SECRET)))
    raw[place % len(raw)] ^= flip
    assert unseal(base64.urlsafe_b64encode(bytes(raw)).decode(), SECRET) is None


@pytest.mark.parametrize("token", ["", "x", "Bearer", "ü" * 40, "====", base64.urlsafe_b64encode(b"{}" * 40).decode()])
def test_what_is_no_token_is_none_of_ours(token: str) -> None:
    assert unseal(token, SECRET) is None


def test_another_secret_seals_another_token() -> None:
    assert unseal(seal(SESSION, b"another secret.."), SECRET) is None


def test_the_phones_password_is_what_the_gateway_derives() -> None:
    # printf blue.a1 | openssl dgst -sha256 -hmac ssssssssssssssss, its first 32 digits
    assert sip_password("blue", "a1", SECRET) == "42d372e8e4c8babe88a77a1feacc72a6"


@pytest.mark.parametrize("action", ["state", "hang-up", "wrap-up", "sign-out"])
async def test_without_a_token_nothing_is_done(office: Any, action: str) -> None:
    reply = await office.agent(action, {"state": "available", "attempt_id": office.call, "code": "INTERESTED"})
    assert (reply.status, reply.content_type) == (401, "application/problem+json")
    assert not office.published


async def test_a_token_is_of_one_agent_only(office: Any) -> None:
    await office.sign_in()
    assert (await office.ask("POST", "/v1/agents/a2/sign-out")).status == 401


@pytest.mark.parametrize(
    "body, field",
    [
        (b"{", "JSON"),
        (b"[]", "JSON object"),
        ({}, "team_id"),
        ({"team_id": "a.b"}, "team_id"),
        ({"team_id": "a@b"}, "team_id"),
        ({"team_id": "blue", "campaign_ids": "c1"}, "campaign_ids"),
        ({"team_id": "blue", "campaign_ids": [1]}, "campaign_ids[0]"),
    ],
)
async def test_a_bad_sign_in_names_the_field(office: Any, body: Any, field: str) -> None:
    reply = await office.agent("sign-in", body)
    assert reply.status == 422
    assert field in reply.body["detail"]


async def test_sign_in_tells_the_phone_where_and_as_whom(office: Any) -> None:
    reply = await office.agent("sign-in", {"team_id": "blue", "campaign_ids": ["c1"]})
    assert reply.body["sip"]["uri"] == "sip:blue.a1@127.0.0.1:5070"
    assert reply.body["sip"]["username"] == "blue.a1"
    assert [e.availability for e in office.published] == ["PAUSED"]
