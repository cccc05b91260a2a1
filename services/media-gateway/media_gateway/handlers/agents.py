"""Agents' phones -> agent.leg. A phone's call is authenticated by the SIP core before it comes here."""

from __future__ import annotations

from media_gateway.domain.agent_legs import AgentLeg as Leg
from media_gateway.handlers.deps import Deps, PhoneLeg
from media_gateway.handlers.mailbox import HangUp
from media_gateway.ports import MediaLeg, remote_of
from media_gateway.sip.events import CallEvent, Connected, Ended, IncomingCall, MediaChanged
from outdial_contracts.events import AgentLeg
from outdial_runtime.outcome import Emit

PHONE_SILENT_SECONDS = 6.0
"""A phone sends at least one packet a second; silent so long it is gone."""


async def on_phone_call(incoming: IncomingCall, deps: Deps) -> None:
    """Answers an agent's phone and keeps its leg up until it hangs up. The username is {team_id}.{agent_id}."""
    team_id, _, agent_id = incoming.username.partition(".")
    if deps.standing.draining or not agent_id or incoming.sdp is None:
        deps.phones.refuse(incoming.call_id, 480)
        return
    leg_id = f"{deps.config.gateway_id}:{deps.chance.token()[:16]}"
    media = await deps.media.open_leg()
    media.set_remote(*remote_of(incoming.sdp))
    call = deps.phones.accept(incoming.call_id, media, lambda event: _on_phone_event(leg_id, media, event, deps))
    deps.standing.phones[leg_id] = PhoneLeg(leg=media, call=call, call_id=incoming.call_id)
    older = deps.standing.legs.up(Leg(leg_id=leg_id, team_id=team_id, agent_id=agent_id))
    if older is not None:
        _drop(older, deps)


def announce_legs(deps: Deps) -> list[AgentLeg]:
    """One agent.leg up for every connected phone, to be repeated every few seconds."""
    return [_event(leg, deps, up=True) for leg in deps.standing.legs.by_id.values() if _connected(leg.leg_id, deps)]


def hang_up_silent_phones(deps: Deps) -> None:
    """Ends legs whose phone fell silent without a BYE."""
    now = deps.clock.monotonic()
    for phone in list(deps.standing.phones.values()):
        heard_at = phone.leg.heard_at
        if phone.connected and heard_at is not None and now - heard_at > PHONE_SILENT_SECONDS:
            phone.call.hang_up()


def _connected(leg_id: str, deps: Deps) -> bool:
    phone = deps.standing.phones.get(leg_id)
    return phone is not None and phone.connected


def _on_phone_event(leg_id: str, media: MediaLeg, event: CallEvent, deps: Deps) -> None:
    leg = deps.standing.legs.by_id.get(leg_id)
    if isinstance(event, Connected) and leg is not None:
        deps.standing.phones[leg_id].connected = True
        _say(leg, deps, up=True)
    elif isinstance(event, MediaChanged):
        media.set_remote(*remote_of(event.sdp))
    elif isinstance(event, Ended):
        media.close()
        deps.standing.phones.pop(leg_id, None)
        gone = deps.standing.legs.down(leg_id)
        if gone is not None:
            _drop(gone, deps)


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
