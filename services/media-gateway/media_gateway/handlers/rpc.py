"""What other services ask: claim and release an agent's leg, hang up a call; and how many calls live here."""

from __future__ import annotations

from media_gateway.handlers.deps import Deps
from media_gateway.handlers.mailbox import HangUp
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.service import Answer, HttpReply, Request


async def on_claim(request: Request, deps: Deps) -> Answer:
    """Compare-and-set of an agent's leg, also for another gateway's call."""
    message: pb.ClaimRequest = request.message
    refused = deps.standing.legs.claim(message.leg_id, message.attempt_id, message.epoch)
    return Answer(reply=pb.ClaimReply(claimed=refused is None, reason=refused or ""))


async def on_release(request: Request, deps: Deps) -> Answer:
    """Frees a leg that this attempt holds."""
    message: pb.ReleaseRequest = request.message
    deps.standing.legs.release(message.leg_id, message.attempt_id)
    return Answer(reply=pb.ReleaseReply())


async def on_hang_up(request: Request, deps: Deps) -> Answer:
    """The console ends a call for its agent."""
    message: pb.HangUpRequest = request.message
    call = deps.standing.calls.get(message.attempt_id)
    if call is not None:
        call.mailbox.put(HangUp(by_agent=True))
    return Answer(reply=pb.HangUpReply(found=call is not None))


async def on_get_calls(request: Request, deps: Deps) -> Answer:
    """GET /v1/calls: what lives on this gateway."""
    states: dict[str, int] = {}
    for call in deps.standing.calls.values():
        states[call.state.value] = states.get(call.state.value, 0) + 1
    answered = sum(call.answered for call in deps.standing.calls.values())
    body = {
        "gateway_id": deps.config.gateway_id,
        "boot_id": deps.boot_id,
        "live_calls": len(deps.standing.calls),
        "answered_calls": answered,
        "by_state": states,
        "agent_legs": len(deps.standing.legs.by_id),
        "draining": deps.standing.draining,
    }
    return Answer(reply=HttpReply(body=body))
