"""document.published, team.owner, suppression.changed -> what the gateway knows; a suppression also cancels."""

from __future__ import annotations

from media_gateway.handlers.deps import Deps
from media_gateway.handlers.mailbox import GiveUp
from outdial_contracts.events import DocumentPublished, SuppressionChanged, TeamOwner
from outdial_runtime.outcome import NOTHING, Drop, Outcome
from outdial_runtime.service import Received


async def on_document_published(message: Received[DocumentPublished], deps: Deps) -> Outcome:
    """Keeps routes; other documents are not ours."""
    route = message.event.route
    if route is None:
        return Drop("NOT_A_ROUTE")
    deps.standing.routes[route.route_id] = route
    return NOTHING


async def on_team_owner(message: Received[TeamOwner], deps: Deps) -> Outcome:
    """The newest owner's epoch fences older ones."""
    owner = message.event
    if owner.epoch < deps.standing.owner_epoch(owner.team_id):
        return Drop("OLDER_EPOCH")
    deps.standing.owners[owner.team_id] = owner
    return NOTHING


async def on_suppression_changed(message: Received[SuppressionChanged], deps: Deps) -> Outcome:
    """Gives up calls to that person or number that nobody answered yet."""
    changed = message.event
    for call in list(deps.standing.calls.values()):
        same = call.dial.person_token in changed.person_tokens or call.dial.callee_token in changed.callee_tokens
        if same and not call.answered:
            call.mailbox.put(GiveUp())
    return NOTHING
