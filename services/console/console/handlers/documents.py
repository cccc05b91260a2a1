"""HTTP -> campaign.published, document.published, stop.changed."""

from __future__ import annotations

from typing import Any

import yaml

from console.domain.campaign_file import CampaignError, parse_campaign
from console.domain.route_file import RouteError, parse_route
from console.handlers.problems import BadRequest, json_body, problem, text_of
from console.ports import Deps
from outdial_contracts.events import CampaignPublished, CampaignState, DocumentKind, DocumentPublished, StopChanged
from outdial_runtime.outcome import Emit, Publish
from outdial_runtime.service import Answer, HttpReply, Request

PUBLISHER = "console"


async def on_post_campaign(request: Request, deps: Deps) -> Answer:
    """POST /v1/campaigns: campaign.yaml or the same as JSON; the same document again is the same version."""
    try:
        campaign_id, team_id, document = parse_campaign(_yaml(request.message))
    except (CampaignError, BadRequest) as error:
        return problem(422, "Unprocessable", str(error))
    known = deps.floor.campaigns.get(campaign_id)
    if known is not None and known.document == document and known.team_id == team_id:
        return Answer(reply=HttpReply(body={"campaign_id": campaign_id, "version": known.version}))
    version = known.version + 1 if known else 1
    event = CampaignPublished(
        campaign_id=campaign_id,
        slot=str(version),
        version=version,
        team_id=team_id,
        state=CampaignState.UNKNOWN,
        document=document,
        published_at=request.now,
        published_by=PUBLISHER,
    )
    deps.floor.campaigns[campaign_id] = event
    outcome = Publish([Emit(event=event, cause=f"campaign:{campaign_id}:{version}")])
    return Answer(reply=HttpReply(status=201, body={"campaign_id": campaign_id, "version": version}), outcome=outcome)


async def on_post_state(request: Request, deps: Deps) -> Answer:
    """POST /v1/campaigns/{campaign_id}/state {"state": RUNNING, PAUSED or STOPPED}."""
    known = deps.floor.campaigns.get(request.path["campaign_id"])
    if known is None:
        return problem(404, "Not found", "no such campaign")
    try:
        state = text_of(json_body(request.message), "state").upper()
        if state not in ("RUNNING", "PAUSED", "STOPPED"):
            raise BadRequest("state: must be RUNNING, PAUSED or STOPPED")
    except BadRequest as error:
        return problem(422, "Unprocessable", str(error))
    event = CampaignPublished(
        campaign_id=known.campaign_id,
        slot="state",
        version=known.version,
        team_id=known.team_id,
        state=CampaignState(state),
        document=None,
        published_at=request.now,
        published_by=PUBLISHER,
    )
    outcome = Publish([Emit(event=event, cause=f"state:{known.campaign_id}:{request.now.isoformat()}")])
    return Answer(reply=HttpReply(body={"campaign_id": known.campaign_id, "state": state}), outcome=outcome)


async def on_post_document(request: Request, deps: Deps) -> Answer:
    """POST /v1/documents: a route, as YAML or JSON."""
    try:
        route = parse_route(_yaml(request.message))
    except (RouteError, BadRequest) as error:
        return problem(422, "Unprocessable", str(error))
    version = int(request.now.timestamp())
    event = DocumentPublished(
        document_id=route.route_id,
        kind=DocumentKind.ROUTE,
        version=version,
        route=route,
        published_at=request.now,
        published_by=PUBLISHER,
    )
    outcome = Publish([Emit(event=event, cause=f"document:{route.route_id}:{request.now.isoformat()}")])
    return Answer(
        reply=HttpReply(status=201, body={"document_id": route.route_id, "version": version}), outcome=outcome
    )


async def on_post_stop(request: Request, deps: Deps) -> Answer:
    """POST /v1/stops {"scope", "stopped", "reason"}: the stop button, pressed or released."""
    try:
        body = json_body(request.message)
        scope, reason = text_of(body, "scope"), text_of(body, "reason")
        if scope != "all" and scope.partition(":")[0] not in ("seller", "state", "route"):
            raise BadRequest("scope: must be all, seller:ID, state:REGION or route:ID")
        if not isinstance(body.get("stopped"), bool):
            raise BadRequest("stopped: must be true or false")
    except BadRequest as error:
        return problem(422, "Unprocessable", str(error))
    event = StopChanged(
        scope=scope, stopped=body["stopped"], reason=reason, changed_at=request.now, changed_by=PUBLISHER
    )
    outcome = Publish([Emit(event=event, cause=f"stop:{scope}:{request.now.isoformat()}")])
    return Answer(reply=HttpReply(body={"scope": scope, "stopped": event.stopped}), outcome=outcome)


def _yaml(raw: bytes) -> Any:
    try:
        return yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise BadRequest(f"the body is not YAML: {type(error).__name__}") from None
