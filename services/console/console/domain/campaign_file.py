"""campaign.yaml (formats.md): every key known, every value of its shape; the first fault is named with its rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from outdial_contracts.events import CampaignDocument, DialMode, Purpose

CAMPAIGN_ID = re.compile(r"[a-z0-9-]{1,63}")
E164 = re.compile(r"\+[1-9]\d{7,14}")
SHORTEST_RING_SECONDS = 15
"""47 CFR 64.1200(a)(6): an unanswered call is not disconnected before 15 seconds or four rings."""
KEYS = {
    "schema", "id", "owner", "team", "seller", "purpose", "topic", "mode", "kpi", "rollback_trigger", "pacing",
    "ring_timeout_seconds", "clearance_ttl_seconds", "retry", "caller_ids", "route", "safe_harbour", "webhook",
}  # fmt: skip
OPTIONAL = {"webhook"}


class CampaignError(Exception):
    """A campaign file breaks a rule; the text names field, the value's shape and the rule."""


def parse_campaign(raw: Any) -> tuple[str, str, CampaignDocument]:
    """(campaign_id, team_id, document) of a parsed campaign.yaml. Raises CampaignError."""
    if not isinstance(raw, Mapping):
        raise CampaignError("the file must be a mapping")
    unknown, missing = sorted(set(raw) - KEYS), sorted(KEYS - OPTIONAL - set(raw))
    if unknown or missing:
        raise CampaignError(f"unknown keys {unknown}, missing keys {missing}")
    if raw["schema"] != 1:
        raise CampaignError("schema: must be 1")
    if not CAMPAIGN_ID.fullmatch(str(raw["id"])):
        raise CampaignError("id: must be 1 to 63 of a-z, 0-9 and -")
    return str(raw["id"]), _text(raw, "team"), _document(raw)


def _document(raw: Mapping[str, Any]) -> CampaignDocument:
    seller, pacing, retry = (_part(raw, name) for name in ("seller", "pacing", "retry"))
    webhook = raw.get("webhook") or {}
    return CampaignDocument(
        owner=_text(raw, "owner"),
        seller_id=_text(seller, "id", "seller."),
        seller_name=_text(seller, "name", "seller."),
        seller_callback=_number(seller.get("callback"), "seller.callback"),
        purpose=_member(Purpose, raw["purpose"], "purpose"),
        topic_id=_text(raw, "topic"),
        mode=_member(DialMode, raw["mode"], "mode"),
        kpi=_text(raw, "kpi"),
        rollback_trigger=_text(raw, "rollback_trigger"),
        abandon_limit=_between(pacing, "abandon_limit", 0.0, 1.0, "pacing."),
        max_lines_per_agent=_between(pacing, "max_lines_per_agent", 1.0, 20.0, "pacing."),
        small_team_below=int(_between(pacing, "small_team_below", 0, 1000, "pacing.")),
        ring_timeout_seconds=int(_between(raw, "ring_timeout_seconds", SHORTEST_RING_SECONDS, 120)),
        clearance_ttl_seconds=int(_between(raw, "clearance_ttl_seconds", 5, 600)),
        retry_max_per_person=int(_between(retry, "max_per_person", 1, 100, "retry.")),
        retry_window_hours=int(_between(retry, "window_hours", 1, 24 * 60, "retry.")),
        retry_after_seconds=_waits(retry.get("after")),
        caller_ids=_numbers(raw["caller_ids"]),
        route_id=_text(raw, "route"),
        safe_harbour=_text(raw, "safe_harbour"),
        webhook_url=webhook.get("url"),
        webhook_secret_env=webhook.get("secret_env"),
    )


def _part(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = raw[name]
    if not isinstance(part, Mapping):
        raise CampaignError(f"{name}: must be a mapping, is a {type(part).__name__}")
    return part


def _text(raw: Mapping[str, Any], name: str, path: str = "") -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CampaignError(f"{path}{name}: must be text that is not empty")
    return value


def _between(raw: Mapping[str, Any], name: str, least: float, most: float, path: str = "") -> float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise CampaignError(f"{path}{name}: must be a number from {least} to {most}")
    return value


def _number(value: Any, path: str) -> str:
    if not isinstance(value, str) or not E164.fullmatch(value):
        raise CampaignError(f"{path}: must be E.164, + and 8 to 15 digits, quoted")
    return value


def _numbers(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise CampaignError("caller_ids: must be a list of at least one number of ours")
    return tuple(_number(v, f"caller_ids[{n}]") for n, v in enumerate(value))


def _waits(value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping) or not all(isinstance(v, int) and v >= 0 for v in value.values()):
        raise CampaignError("retry.after: must map an outcome to whole seconds")
    return {str(outcome): int(seconds) for outcome, seconds in value.items()}


def _member(kind: Any, value: Any, path: str) -> Any:
    names = [member.value.lower() for member in kind if member.value != "UNKNOWN"]
    if not isinstance(value, str) or value not in names:
        raise CampaignError(f"{path}: must be one of {', '.join(names)}")
    return kind(value.upper())
