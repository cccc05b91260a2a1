"""Agents over HTTP -> agent.state, agent.wrapup; an opt-out is durable at the gate before its wrap-up is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import wraps

import msgspec

from console.domain.desk import Desk
from console.domain.sessions import Session, seal, sip_password, unseal
from console.handlers.problems import BadRequest, json_body, problem, text_of
from console.handlers.screens import state_of
from console.ports import Deps, GateAway
from outdial_contracts.events import AgentAvailability, AgentWrapup, DispositionCode
from outdial_contracts.headers import event_id
from outdial_runtime.outcome import Emit, Publish
from outdial_runtime.service import Answer, HttpReply, Request

LONGEST_POLL_SECONDS = 20.0
WRAPUP_CODES = ("INTERESTED", "NOT_INTERESTED", "CALLBACK", "DNC_REQUESTED", "WRONG_NUMBER", "CONNECTED")
STATES = {
    "available": AgentAvailability.AVAILABLE,
    "paused": AgentAvailability.PAUSED,
    "wrapup": AgentAvailability.WRAPUP,
}
NO_CONTENT = HttpReply(status=204)
AtDesk = Callable[[Request, Desk, Deps], Awaitable[Answer]]


def at_desk(handler: AtDesk) -> Callable[[Request, Deps], Awaitable[Answer]]:
    """Checks the bearer token, finds or sets up the desk, and turns a BadRequest into a 422."""

    @wraps(handler)
    async def checked(request: Request, deps: Deps) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        session = unseal(token, deps.config.agent_secret)
        if session is None or session.agent_id != request.path["agent_id"]:
            return problem(401, "Not signed in", "the bearer token is none of this console's for this agent")
        try:
            return await handler(request, _desk(session, deps), deps)
        except BadRequest as error:
            return problem(422, "Unprocessable", str(error))

    return checked


async def on_sign_in(request: Request, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/sign-in."""
    try:
        body = json_body(request.message)
        team_id = text_of(body, "team_id")
    except BadRequest as error:
        return problem(422, "Unprocessable", str(error))
    agent_id = request.path["agent_id"]
    session = Session(agent_id=agent_id, team_id=team_id, campaign_ids=tuple(body.get("campaign_ids") or ()))
    desk = _desk(session, deps)
    desk.campaign_ids, desk.said = session.campaign_ids, AgentAvailability.PAUSED
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
    state = text_of(body, "state")
    if state not in STATES:
        raise BadRequest(f"state: must be one of {', '.join(STATES)}")
    desk.said, desk.reason = STATES[state], body.get("reason")
    return Answer(reply=NO_CONTENT, outcome=_state(desk, request.now))


@at_desk
async def on_events(request: Request, desk: Desk, deps: Deps) -> Answer:
    """GET /v1/agents/{agent_id}/events?after=N&wait_seconds=S: long poll."""
    try:
        after = int(request.query.get("after", "0"))
        wait_seconds = min(float(request.query.get("wait_seconds", "0")), LONGEST_POLL_SECONDS)
    except ValueError:
        raise BadRequest("after and wait_seconds: must be numbers") from None
    try:
        async with asyncio.timeout(wait_seconds), deps.floor.changed:
            await deps.floor.changed.wait_for(lambda: bool(desk.after(after)))
    except TimeoutError:
        pass
    return Answer(reply=HttpReply(body={"events": [msgspec.to_builtins(event) for event in desk.after(after)]}))


@at_desk
async def on_hang_up(request: Request, desk: Desk, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/hang-up."""
    attempt_id = text_of(json_body(request.message), "attempt_id")
    if desk.gateway_address is None:
        return problem(409, "No leg", "the agent's leg is down")
    found = await deps.calls.hang_up(desk.gateway_address, attempt_id, desk.agent_id)
    return Answer(reply=NO_CONTENT) if found else problem(404, "No such call", "the call is over")


@at_desk
async def on_wrap_up(request: Request, desk: Desk, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/wrap-up."""
    body = json_body(request.message)
    attempt_id, code = text_of(body, "attempt_id"), text_of(body, "code")
    if code not in WRAPUP_CODES:
        raise BadRequest(f"code: must be one of {', '.join(WRAPUP_CODES)}")
    suppression_id = None
    if code == DispositionCode.DNC_REQUESTED.value:
        suppression_id = event_id(f"dnc:{attempt_id}", "suppression")
        try:
            await deps.gate.suppress(suppression_id, attempt_id, request.now)
        except GateAway:
            return problem(503, "Gate away", "the opt-out is not durable yet; send it again")
    event = AgentWrapup(
        attempt_id=attempt_id,
        team_id=desk.team_id,
        campaign_id=body.get("campaign_id") or desk.campaign_id or "",
        agent_id=desk.agent_id,
        code=DispositionCode(code),
        callback_at=_time(body.get("callback_at")),
        suppression_id=suppression_id,
        at=request.now,
    )
    desk.wrapped_up(attempt_id)
    return Answer(reply=NO_CONTENT, outcome=Publish([Emit(event=event, cause=f"wrapup:{attempt_id}:{code}")]))


@at_desk
async def on_sign_out(request: Request, desk: Desk, deps: Deps) -> Answer:
    """POST /v1/agents/{agent_id}/sign-out."""
    desk.said = AgentAvailability.OFFLINE
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
    return Publish([Emit(event=state_of(desk, now), cause=f"state:{desk.agent_id}:{now.isoformat()}")])


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise BadRequest("callback_at: must be an RFC 3339 time") from None
    if at.tzinfo is None:
        raise BadRequest("callback_at: must have a zone")
    return at
