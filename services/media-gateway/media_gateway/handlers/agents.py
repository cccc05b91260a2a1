"""Agents' phones -> agent.leg. A phone's call is authenticated by the SIP core before it comes here."""

from __future__ import annotations

from media_gateway.domain.agent_legs import AgentLeg as Leg
from media_gateway.handlers.deps import Deps, PhoneLeg
from media_gateway.handlers.mailbox import HangUp
from media_gateway.ports import MediaLeg, NoMediaLeg, remote_of
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import CallEvent, Connected, Ended, IncomingCall, MediaChanged
from outdial_contracts.events import AgentLeg
from outdial_runtime.outcome import Emit

PHONE_SILENT_SECONDS = 6.0
"""A phone sends at least one packet a second; silent so long it is gone."""
UNAVAILABLE, NOT_ACCEPTABLE, NO_PORT = 480, 488, 503


async def on_phone_call(incoming: IncomingCall, deps: Deps) -> None:
    """Answers an agent's phone, or refuses it. The username is {team_id}.{agent_id}; its leg is up from the ACK on."""
    team_id, _, agent_id = incoming.username.partition(".")
    if deps.standing.draining or not agent_id:
        deps.phones.refuse(incoming.call_id, UNAVAILABLE)
        return
    if incoming.sdp is None:
        deps.phones.refuse(incoming.call_id, NOT_ACCEPTABLE)
        return
    try:
        media = await deps.media.open_leg()
    except NoMediaLeg:
        deps.phones.refuse(incoming.call_id, NO_PORT)
        return
    media.set_remote(*remote_of(incoming.sdp))
    leg = Leg(leg_id=f"{deps.config.gateway_id}:{deps.chance.token()[:16]}", team_id=team_id, agent_id=agent_id)
    try:
        call = deps.phones.accept(incoming.call_id, media, lambda event: _on_phone_event(leg, media, event, deps))
    except LocalProtocolError:  # it hung up while the port was opened
        media.close()
        return
    deps.standing.phones[leg.leg_id] = PhoneLeg(leg=media, call=call, call_id=incoming.call_id)


def announce_legs(deps: Deps) -> list[AgentLeg]:
    """One agent.leg up for every leg that is up, to be repeated every few seconds."""
    return [_event(leg, deps, up=True) for leg in deps.standing.legs.by_id.values()]


def hang_up_silent_phones(deps: Deps) -> None:
    """Ends legs whose phone fell silent without a BYE, or never sent any sound."""
    now = deps.clock.monotonic()
    for phone in list(deps.standing.phones.values()):
        if phone.connected_at_seconds is None:
            continue
        heard_at = max(phone.leg.heard_at or 0.0, phone.connected_at_seconds)
        if now - heard_at > PHONE_SILENT_SECONDS:
            phone.call.hang_up()


def _on_phone_event(leg: Leg, media: MediaLeg, event: CallEvent, deps: Deps) -> None:
    if isinstance(event, Connected):
        _up(leg, deps)
    elif isinstance(event, MediaChanged):
        media.set_remote(*remote_of(event.sdp))
    elif isinstance(event, Ended):
        media.close()
        deps.standing.phones.pop(leg.leg_id, None)
        if deps.standing.legs.down(leg.leg_id) is not None:
            _drop(leg, deps)


def _up(leg: Leg, deps: Deps) -> None:
    """The same agent's older leg goes, and only now: the new one is known to work."""
    deps.standing.phones[leg.leg_id].connected_at_seconds = deps.clock.monotonic()
    older = deps.standing.legs.up(leg)
    if older is not None:
        _drop(older, deps)
    _say(leg, deps, up=True)


def _drop(leg: Leg, deps: Deps) -> None:
    """A leg is gone: says so, and ends the call that it carried."""
    _say(leg, deps, up=False)
    phone = deps.standing.phones.get(leg.leg_id)
    if phone is not None:
        phone.call.hang_up()
    call = deps.standing.calls.get(leg.attempt_id or "")
    if call is not None:
        call.mailbox.put(HangUp(by_agent=True))


def _say(leg: Leg, deps: Deps, *, up: bool) -> None:
    deps.outbox.emit(Emit(event=_event(leg, deps, up=up), cause=f"{leg.leg_id}:{'up' if up else 'down'}"))


def _event(leg: Leg, deps: Deps, *, up: bool) -> AgentLeg:
    return AgentLeg(
        agent_id=leg.agent_id,
        team_id=leg.team_id,
        leg_id=leg.leg_id,
        gateway_id=deps.config.gateway_id,
        gateway_address=deps.config.grpc_address,
        boot_id=deps.boot_id,
        up=up,
        at=deps.clock.now(),
    )
