"""campaign.yaml (formats.md): every key known, every value of its shape, the message lawful; faults name their rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from console.domain.shapes import ShapeError, e164, items, mapping, number, optional_text, text, whole
from outdial_contracts.events import CampaignDocument, DialMode, Purpose
from outdial_contracts.safe_harbour import campaign_faults

CAMPAIGN_ID = re.compile(r"[a-z0-9-]{1,63}")
REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
SHORTEST_RING_SECONDS = 15
"""47 CFR 64.1200(a)(6): an unanswered call is not disconnected before 15 seconds or four rings."""
KEYS = {
    "schema", "id", "owner", "team", "seller", "purpose", "topic", "mode", "kpi", "rollback_trigger", "pacing",
    "ring_timeout_seconds", "clearance_ttl_seconds", "retry", "caller_ids", "route", "safe_harbour",
}  # fmt: skip
WAITS = {"busy", "no_answer", "congestion", "voicemail"}
DAY_SECONDS = 86_400
APPROVERS_OF_AN_EMERGENCY = 2
Member = TypeVar("Member", bound=StrEnum)


def parse_campaign(raw: Any) -> tuple[str, str, CampaignDocument]:
    """(campaign_id, team_id, document) of a parsed campaign.yaml. Raises ShapeError."""
    mapping(raw, "", KEYS, {"webhook", "approvers", "agent_region"})
    whole(raw["schema"], "schema", 1, 1)
    campaign_id = text(raw["id"], "id")
    if not CAMPAIGN_ID.fullmatch(campaign_id):
        raise ShapeError("id: must be 1 to 63 of a-z, 0-9 and -")
    team_id, document = text(raw["team"], "team"), _document(raw)
    if found := campaign_faults(raw):
        raise ShapeError("; ".join(map(str, found)))
    return campaign_id, team_id, document


def _document(raw: Mapping[str, Any]) -> CampaignDocument:
    seller = mapping(raw["seller"], "seller", {"id", "name", "callback"})
    pacing = mapping(raw["pacing"], "pacing", {"abandon_limit", "max_lines_per_agent", "small_team_below"})
    retry = mapping(raw["retry"], "retry", {"max_per_person", "window_hours", "after"})
    message = mapping(raw["safe_harbour"], "safe_harbour", {"prompt", "text"})
    webhook = mapping(raw["webhook"], "webhook", {"url"}, {"secret_env"}) if raw.get("webhook") is not None else {}
    return CampaignDocument(
        owner=text(raw["owner"], "owner"),
        seller_id=text(seller["id"], "seller.id"),
        seller_name=text(seller["name"], "seller.name"),
        seller_callback=e164(seller["callback"], "seller.callback"),
        purpose=_member(Purpose, raw["purpose"], "purpose"),
        topic_id=text(raw["topic"], "topic"),
        mode=_member(DialMode, raw["mode"], "mode"),
        kpi=text(raw["kpi"], "kpi"),
        rollback_trigger=text(raw["rollback_trigger"], "rollback_trigger"),
        abandon_limit=number(pacing["abandon_limit"], "pacing.abandon_limit", 0.0, 1.0),
        max_lines_per_agent=number(pacing["max_lines_per_agent"], "pacing.max_lines_per_agent", 1.0, 20.0),
        small_team_below=whole(pacing["small_team_below"], "pacing.small_team_below", 0, 1000),
        ring_timeout_seconds=whole(raw["ring_timeout_seconds"], "ring_timeout_seconds", SHORTEST_RING_SECONDS, 120),
        clearance_ttl_seconds=whole(raw["clearance_ttl_seconds"], "clearance_ttl_seconds", 5, 600),
        retry_max_per_person=whole(retry["max_per_person"], "retry.max_per_person", 1, 100),
        retry_window_hours=whole(retry["window_hours"], "retry.window_hours", 1, 24 * 60),
        retry_after_seconds=_waits(retry["after"]),
        caller_ids=tuple(e164(v, f"caller_ids[{n}]") for n, v in enumerate(items(raw["caller_ids"], "caller_ids"))),
        route_id=text(raw["route"], "route"),
        safe_harbour=text(message["prompt"], "safe_harbour.prompt"),
        safe_harbour_text=text(message["text"], "safe_harbour.text"),
        webhook_url=optional_text(webhook.get("url"), "webhook.url"),
        webhook_secret_env=optional_text(webhook.get("secret_env"), "webhook.secret_env"),
        approvers=_approvers(raw),
        agent_region=_region(raw.get("agent_region")),
    )


def _region(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not REGION.fullmatch(value)):
        raise ShapeError("agent_region: must be a country or a region of one, for example GB or US-NY")
    return value


def _approvers(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Names as they stand; an emergency campaign passes every rule about hours and consent, so two people answer."""
    given = raw.get("approvers")
    named = () if given is None else items(given, "approvers")
    approvers = tuple(text(name, f"approvers[{n}]") for n, name in enumerate(named))
    different = {" ".join(name.split()).casefold() for name in approvers}
    if raw["purpose"] == "emergency" and len(different) < APPROVERS_OF_AN_EMERGENCY:
        raise ShapeError(
            "approvers: must name two different people when purpose is emergency (GATE-EMERGENCY-APPROVERS)"
        )
    return approvers


def _waits(value: Any) -> dict[str, int]:
    after = mapping(value, "retry.after", set(), WAITS)
    return {name: whole(seconds, f"retry.after.{name}", 0, 60 * DAY_SECONDS) for name, seconds in after.items()}


def _member(kind: type[Member], value: Any, path: str) -> Member:
    names = [member.value.lower() for member in kind if member.value != "UNKNOWN"]
    if not isinstance(value, str) or value not in names:
        raise ShapeError(f"{path}: must be one of {', '.join(names)}")
    return kind(value.upper())
