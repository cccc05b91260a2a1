"""GET /v1/why/{campaign_id} and GET /v1/teams/{team_id}."""

from __future__ import annotations

from outdial_runtime.service import Answer, HttpReply, Request
from pacer.domain.bindings import Binding
from pacer.domain.why import answer, figures, why
from pacer.ports import Deps


async def get_why(request: Request, deps: Deps) -> Answer:
    """The constraint that binds a campaign now."""
    campaign_id = request.path["campaign_id"]
    team_id = deps.catalogue.team_of(campaign_id)
    if team_id is None:
        return _absent(f"campaign {campaign_id} was never published")
    found = deps.owned.find(team_id)
    if found is None:
        facts = {"team_id": team_id, "agents_on_duty": 0, "team_seen": False}
        return Answer(reply=HttpReply(body=answer(campaign_id, Binding.NO_AGENTS, facts)))
    return Answer(reply=HttpReply(body=why(found[1], campaign_id, request.now)))


async def get_team(request: Request, deps: Deps) -> Answer:
    """A team's live figures."""
    team_id = request.path["team_id"]
    found = deps.owned.find(team_id)
    if found is None:
        return _absent(f"team {team_id} is not owned here")
    return Answer(reply=HttpReply(body=figures(found[1])))


def _absent(detail: str) -> Answer:
    body = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": detail}
    return Answer(reply=HttpReply(status=404, body=body, content_type="application/problem+json"))
