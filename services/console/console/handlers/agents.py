"""Agents over HTTP -> agent.state, agent.wrapup; an opt-out is durable at the gate before its wrap-up is answered."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import msgspec

from console.domain.desk import Desk
from console.domain.sessions import Session, seal, sip_password, unseal
from console.domain.shapes import ShapeError, optional_text, text
from console.handlers.deps import Deps
from console.handlers.problems import json_body, problem, unprocessable
from console.handlers.screens import state_of
from console.ports import AttemptUnknown, GateAway, GatewayAway
from outdial_contracts.events import AgentAvailability, AgentWrapup, DispositionCode
from outdial_contracts.headers import event_id
from outdial_runtime.outcome import Emit, Publish
from outdial_runtime.service import Answer, HttpReply, Request

LONGEST_POLL_SECONDS = 20.0
NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
"""Of a team or an agent: {team}.{agent} is a SIP user name, so no dot, and nothing that a URI would escape."""
WRAPUP_CODES = ("INTERESTED", "NOT_INTERESTED", "CALLBACK", "DNC_REQUESTED", "WRONG_NUMBER", "CONNECTED")
STATES = {
    "available": AgentAvailability.AVAILABLE,
    "paused": AgentAvailability.PAUSED,
    "wrapup": AgentAvailability.WRAPUP,
}
NO_CONTENT = HttpReply(status=204)
AtDesk = Callable[[Request, Desk, Deps], Awaitable[Answer]]


def at_desk(handler: AtDesk) -> Callable[[Request, Deps], Awaitable[Answer]]:
    """Checks the bearer token, finds or sets up the desk, and answers a ShapeError with 422."""
    answer = unprocessable(handler)

    @wraps(handler)
    async def checked(request: Request, deps: Deps) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        session = unseal(token, deps.config.agent_secret)
        if session is None or session.agent_id != request.path["agent_id"]:
            return problem(401, "Not signed in", "the bearer token is none of this console's for this agent")
        return await answer(request, _desk(session, deps), deps)

    return checked


@unprocessable
async def on_sign_in(request: Request, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/sign-in."""
    body = json_body(request.message)
    team_id, agent_id = _name(body.get("team_id"), "team_id"), _name(request.path["agent_id"], "agent_id")
    session = Session(agent_id=agent_id, team_id=team_id, campaign_ids=_campaigns(body.get("campaign_ids")))
    desk = _desk(session, deps)
    desk.campaign_ids = session.campaign_ids
    desk.says(AgentAvailability.PAUSED, None, request.now)
    username = f"{team_id}.{agent_id}"
    sip = {
        "uri": f"sip:{username}@{deps.config.agent_sip_address}",
        "username": username,
        "password": sip_password(team_id, agent_id, deps.config.agent_secret),
    }
    reply = HttpReply(body={"session_token": seal(session, deps.config.agent_secret), "sip": sip})
    return Answer(reply=reply, outcome=_state(desk, request.now))


@at_desk
async def on_state(request: Request, desk: Desk, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/state: also the heartbeat."""
    body = json_body(request.message)
    state = text(body.get("state"), "state")
    if state not in STATES:
        raise ShapeError(f"state: must be one of {', '.join(STATES)}")
    desk.says(STATES[state], optional_text(body.get("reason"), "reason"), request.now)
    return Answer(reply=NO_CONTENT, outcome=_state(desk, request.now))


@at_desk
async def on_events(request: Request, desk: Desk, deps: Deps) -> Answer:
    """GET /v1/agents/{agent_id}/events?after=N&wait_seconds=S: long poll."""
    try:
        after = int(request.query.get("after", "0"))
        wait_seconds = float(request.query.get("wait_seconds", "0"))
    except ValueError:
        raise ShapeError("after and wait_seconds: must be numbers") from None
    if not 0.0 <= wait_seconds <= LONGEST_POLL_SECONDS:
        raise ShapeError(f"wait_seconds: must be a number from 0 to {LONGEST_POLL_SECONDS}")
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_seconds), deps.floor.changed:
            await deps.floor.changed.wait_for(lambda: bool(desk.after(after)))
    return Answer(reply=HttpReply(body={"events": [msgspec.to_builtins(event) for event in desk.after(after)]}))


@at_desk
async def on_hang_up(request: Request, desk: Desk, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/hang-up."""
    attempt_id = _attempt(json_body(request.message))
    if desk.gateway_address is None:
        return problem(409, "No leg", "the agent's leg is down")
    try:
        found = await deps.calls.hang_up(desk.gateway_address, attempt_id, desk.agent_id)
    except GatewayAway:
        return problem(409, "Gateway away", "the gateway of the agent's leg does not answer; the call ends with it")
    return Answer(reply=NO_CONTENT) if found else problem(404, "No such call", "the call is over")


@at_desk
async def on_wrap_up(request: Request, desk: Desk, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/wrap-up; said again, also with another code, the newest word counts."""
    event = _wrapup(json_body(request.message), desk, request.now)
    if event.suppression_id is not None:
        try:
            await deps.gate.suppress(event.suppression_id, event.attempt_id, request.now)
        except GateAway:
            return problem(503, "Gate away", "the opt-out is not durable yet; send it again")
        except AttemptUnknown:
            return problem(404, "No such attempt", "the gate knows no such attempt: nobody was opted out")
    desk.wrapped_up(event.attempt_id)
    cause = f"wrapup:{event.attempt_id}:{request.cause}"
    return Answer(reply=NO_CONTENT, outcome=Publish([Emit(event=event, cause=cause)]))


@at_desk
async def on_sign_out(request: Request, desk: Desk, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/sign-out."""
    desk.says(AgentAvailability.OFFLINE, None, request.now)
    outcome = _state(desk, request.now)
    deps.floor.desks.pop((desk.team_id, desk.agent_id), None)
    return Answer(reply=NO_CONTENT, outcome=outcome)


def _desk(session: Session, deps: Deps) -> Desk:
    key = (session.team_id, session.agent_id)
    if key not in deps.floor.desks:
        deps.floor.desks[key] = Desk(
            agent_id=session.agent_id, team_id=session.team_id, campaign_ids=session.campaign_ids
        )
    return deps.floor.desks[key]


def _state(desk: Desk, now: datetime) -> Publish:
    event = state_of(desk, now)
    cause = f"state:{desk.team_id}.{desk.agent_id}:{now.isoformat()}:{event.availability.value}"
    return Publish([Emit(event=event, cause=cause)])


def _wrapup(body: dict[str, Any], desk: Desk, now: datetime) -> AgentWrapup:
    attempt_id, code = _attempt(body), text(body.get("code"), "code")
    if code not in WRAPUP_CODES:
        raise ShapeError(f"code: must be one of {', '.join(WRAPUP_CODES)}")
    campaign_id = optional_text(body.get("campaign_id"), "campaign_id")
    opted_out = code == DispositionCode.DNC_REQUESTED.value
    return AgentWrapup(
        attempt_id=attempt_id,
        team_id=desk.team_id,
        campaign_id=campaign_id or (desk.call.campaign_id if desk.call else ""),
        agent_id=desk.agent_id,
        code=DispositionCode(code),
        callback_at=_time(body.get("callback_at")),
        suppression_id=event_id(f"dnc:{attempt_id}", "suppression") if opted_out else None,
        at=now,
    )


def _name(value: object, path: str) -> str:
    name = text(value, path)
    if not NAME.fullmatch(name):
        raise ShapeError(f"{path}: must be 1 to 63 of A-Z, a-z, 0-9, _ and -")
    return name


def _campaigns(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ShapeError("campaign_ids: must be a list of texts")
    return tuple(text(item, f"campaign_ids[{n}]") for n, item in enumerate(value))


def _attempt(body: dict[str, Any]) -> str:
    value = text(body.get("attempt_id"), "attempt_id")
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ShapeError("attempt_id: must be a UUID") from None


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise ShapeError("callback_at: must be an RFC 3339 time") from None
    if at.tzinfo is None:
        raise ShapeError("callback_at: must have a zone")
    return at.astimezone(UTC)
