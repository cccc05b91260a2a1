"""campaign.published, lead.state, suppression.changed -> webhooks (no topic); and what an operator asks of them."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

import msgspec

from disposition.domain.payloads import MOST_KEY_CHARACTERS, is_key, of_lead, of_suppression
from disposition.ports import Deps, Endpoint
from outdial_contracts.events import CampaignPublished, LeadState, SuppressionChanged
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, Outcome
from outdial_runtime.service import Answer, HttpReply, Received, Request, TickInput

MOST_LISTED = 1000
LISTED = 100
KEY_RULE = f"must be at most {MOST_KEY_CHARACTERS} characters without a NUL"


async def on_campaign_published(message: Received[CampaignPublished], deps: Deps) -> Outcome:
    """Where its outcomes go from now on, what waits included."""
    event = message.event
    if event.document is None:
        return Drop("STATE_ONLY")
    if not (is_key(event.campaign_id) and is_key(event.document.seller_id)):
        return DeadLetter("NOT_STORABLE", f"campaign_id, seller_id: {KEY_RULE}")
    document = event.document
    if any("\x00" in (text or "") for text in (document.webhook_url, document.webhook_secret_env)):
        return DeadLetter("NOT_STORABLE", "webhook: holds a NUL")
    await deps.webhooks.publish(
        Endpoint(
            campaign_id=event.campaign_id,
            version=event.version,
            seller_id=document.seller_id,
            url=document.webhook_url,
            secret_env=document.webhook_secret_env,
        )
    )
    return NOTHING


async def on_lead_state(message: Received[LeadState], deps: Deps) -> Outcome:
    """Queues it, once for its revision."""
    webhook = of_lead(message.event)
    if webhook is None:
        return Drop("PASSING_STATUS")
    if not webhook.storable:
        return DeadLetter("NOT_STORABLE", f"campaign_id, lead_id: {KEY_RULE}")
    await deps.webhooks.queue([webhook], message.now)
    return NOTHING


async def on_suppression_changed(message: Received[SuppressionChanged], deps: Deps) -> Outcome:
    """Queues it for every endpoint of its seller."""
    if not (is_key(message.event.suppression_id) and is_key(message.event.seller_id)):
        return DeadLetter("NOT_STORABLE", f"suppression_id, seller_id: {KEY_RULE}")
    endpoints = await deps.webhooks.endpoints_of(message.event.seller_id)
    made = [of_suppression(message.event, e.campaign_id, e.url) for e in endpoints if e.url is not None]
    webhooks = [webhook for webhook in made if webhook is not None]
    if not webhooks:
        return Drop("NOBODY_TO_TELL")
    await deps.webhooks.queue(webhooks, message.now)
    return NOTHING


async def on_sending_tick(tick: TickInput, deps: Deps) -> Outcome:
    """A sender that ended ends the service: nobody would notice otherwise."""
    deps.sending.check()
    return NOTHING


async def on_count_webhooks(request: Request, deps: Deps) -> Answer:
    """GET /v1/webhooks: {"campaigns": {campaign_id: {"PENDING": n, "DELIVERED": n, "DEAD": n}}}."""
    counts = await deps.webhooks.counts()
    return Answer(reply=HttpReply(body={"campaigns": {name: dict(states) for name, states in counts.items()}}))


async def on_list_dead(request: Request, deps: Deps) -> Answer:
    """GET /v1/webhooks/dead?campaign_id=&limit=: why each was given up; never its body."""
    limit = request.query.get("limit", str(LISTED))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= MOST_LISTED:
        return _refused(f"limit: must be a whole number from 1 to {MOST_LISTED}")
    campaign_id = request.query.get("campaign_id")
    if campaign_id is not None and not is_key(campaign_id):
        return _refused(f"campaign_id: {KEY_RULE}")
    dead = await deps.webhooks.dead(campaign_id, int(limit))
    return Answer(reply=HttpReply(body={"dead": [msgspec.to_builtins(asdict(one)) for one in dead]}))


async def on_replay_dead(request: Request, deps: Deps) -> Answer:
    """POST /v1/webhooks/dead/replay {"campaign_id", "webhook_id"?}: due again at once; {"replayed": n}."""
    try:
        wanted = msgspec.json.decode(request.message, type=dict[str, Any])
    except msgspec.DecodeError:
        return _refused("body: must be a JSON object with campaign_id and perhaps webhook_id")
    campaign_id, webhook_id = wanted.get("campaign_id"), wanted.get("webhook_id")
    if not isinstance(campaign_id, str) or not is_key(campaign_id):
        return _refused("campaign_id: must be text")
    if webhook_id is not None and not _is_uuid(webhook_id):
        return _refused("webhook_id: must be a UUID or absent")
    replayed = await deps.webhooks.replay(campaign_id, webhook_id, request.now)
    return Answer(reply=HttpReply(body={"replayed": replayed}))


def _refused(detail: str) -> Answer:
    problem = {"type": "about:blank", "title": "Unprocessable", "status": 422, "detail": detail}
    return Answer(reply=HttpReply(status=422, body=problem, content_type="application/problem+json"))


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False
