"""HTTP -> campaign.published, document.published, stop.changed."""

from __future__ import annotations

from console.domain.campaign_file import parse_campaign
from console.domain.route_file import parse_route
from console.domain.shapes import ShapeError, text
from console.handlers.deps import Deps
from console.handlers.problems import json_body, problem, unprocessable, yaml_body
from outdial_contracts.events import CampaignPublished, CampaignState, DocumentKind, DocumentPublished, StopChanged
from outdial_runtime.outcome import Emit, Publish
from outdial_runtime.service import Answer, HttpReply, Request

PUBLISHER = "console"


@unprocessable
async def on_post_campaign(request: Request, deps: Deps) -> Answer:
    """POST /v1/campaigns: campaign.yaml or the same as JSON; the same document again is the same version."""
    campaign_id, team_id, document = parse_campaign(yaml_body(request.message))
    known, confirmed = deps.floor.newest(campaign_id), deps.floor.campaigns.get(campaign_id)
    if known is not None and known.document == document and known.team_id == team_id:
        if known == confirmed:
            return Answer(reply=HttpReply(body={"campaign_id": campaign_id, "version": known.version}))
        return _published(known)
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
    deps.floor.publishing[campaign_id] = event
    return _published(event)


@unprocessable
async def on_post_state(request: Request, deps: Deps) -> Answer:
    """POST /v1/campaigns/{campaign_id}/state {"state": RUNNING, PAUSED or STOPPED}."""
    known = deps.floor.newest(request.path["campaign_id"])
    if known is None:
        return problem(404, "Not found", "no such campaign")
    state = text(json_body(request.message).get("state"), "state").upper()
    if state not in ("RUNNING", "PAUSED", "STOPPED"):
        raise ShapeError("state: must be RUNNING, PAUSED or STOPPED")
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


@unprocessable
async def on_post_document(request: Request, deps: Deps) -> Answer:
    """POST /v1/documents: a route, as YAML or JSON. Its version is the time in unix seconds: it grows over restarts."""
    route = parse_route(yaml_body(request.message))
    version = max(int(request.now.timestamp()), deps.floor.documents.get(route.route_id, 0) + 1)
    deps.floor.documents[route.route_id] = version
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


@unprocessable
async def on_post_stop(request: Request, deps: Deps) -> Answer:
    """POST /v1/stops {"scope", "stopped", "reason"}: the stop button, pressed or released."""
    body = json_body(request.message)
    scope, reason = text(body.get("scope"), "scope"), text(body.get("reason"), "reason")
    kind, _, name = scope.partition(":")
    if scope != "all" and (kind not in ("seller", "state", "route") or not name):
        raise ShapeError("scope: must be all, seller:ID, state:REGION or route:ID")
    if not isinstance(body.get("stopped"), bool):
        raise ShapeError("stopped: must be true or false")
    event = StopChanged(
        scope=scope, stopped=body["stopped"], reason=reason, changed_at=request.now, changed_by=PUBLISHER
    )
    outcome = Publish([Emit(event=event, cause=f"stop:{scope}:{request.now.isoformat()}")])
    return Answer(reply=HttpReply(body={"scope": scope, "stopped": event.stopped}), outcome=outcome)


def _published(event: CampaignPublished) -> Answer:
    """Sent again until it is read back, under one ce_id: an earlier request may have failed after it was numbered."""
    outcome = Publish([Emit(event=event, cause=f"campaign:{event.campaign_id}:{event.version}")])
    body = {"campaign_id": event.campaign_id, "version": event.version}
    return Answer(reply=HttpReply(status=201, body=body), outcome=outcome)
