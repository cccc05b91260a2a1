"""AgentRouter.Assign -> Assigned | NoAgent; the journal has it before the gateway does."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_runtime.service import Answer, Request
from pacer.domain.assign import assign
from pacer.domain.inputs import AgentGiven
from pacer.domain.state import TeamState
from pacer.handlers.taking import Taken, take_given
from pacer.ports import Deps


async def on_assign(request: Request, deps: Deps) -> Answer:
    """Gives an agent to an answered call. NoAgent: none_free, not_owner, team_unknown, replaying."""
    message: pb.AssignRequest = request.message
    found = deps.owned.find(message.team_id)
    if found is None:
        return _none(_absent(message.team_id, deps))
    partition, state = found
    now = state.next_at(request.now)
    given = assign(state, message.attempt_id, message.campaign_id, message.gateway_id, now)
    if given is None:
        return _none("none_free")
    taken = Taken()
    take_given(deps, partition, state, given, now, taken)
    return Answer(reply=_assigned(state, given), outcome=taken.outcome())


def _absent(team_id: str, deps: Deps) -> str:
    if deps.owned.replaying:
        return "replaying"
    return "not_owner" if deps.catalogue.knows_team(team_id) else "team_unknown"


def _assigned(state: TeamState, given: AgentGiven) -> pb.AssignReply:
    agent = state.agents[given.agent_id]
    until = Timestamp()
    until.FromDatetime(given.lease_until)
    return pb.AssignReply(
        assigned=pb.Assigned(
            agent_id=given.agent_id,
            leg_id=agent.leg_id or "",
            gateway_id=agent.gateway_id or "",
            gateway_address=agent.gateway_address,
            epoch=state.epoch,
            lease_id=given.lease_id,
            lease_until=until,
        )
    )


def _none(reason: str) -> Answer:
    return Answer(reply=pb.AssignReply(none=pb.NoAgent(reason=reason)))
