"""What a declaration of a state of emergency may say, and what lifting it makes of it (RULES.md 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from compliance_gate.domain.facts import Suspension
from compliance_gate.domain.rules import RulePack
from outdial_contracts.events import SuspensionChanged

LONGEST_TEXT = 256
DECLARED = {"suspension_id", "region", "starts_at", "ends_at", "source", "entered_by"}
LIFTED = {"ends_at", "lifted_by"}


class SuspensionError(ValueError):
    """A field can't be taken; the text names field and rule, never a value."""


def declaration(body: Mapping[str, Any], fallback_id: str, now: datetime, pack: RulePack) -> SuspensionChanged:
    """A declaration from its JSON: region, source and entered_by; starts_at is now where it is absent.

    Raises:
        SuspensionError: naming the field.
    """
    _known_fields(body, DECLARED)
    region = _text(body, "region")
    if region not in regions(pack):
        raise SuspensionError("region: want a country or region that a pack knows, for example US-NY")
    starts_at, ends_at = _time(body, "starts_at") or now, _time(body, "ends_at")
    if ends_at is not None and ends_at <= starts_at:
        raise SuspensionError("ends_at: want a time after starts_at")
    entered_by = _text(body, "entered_by")
    return SuspensionChanged(
        suspension_id=_text(body, "suspension_id") if body.get("suspension_id") is not None else fallback_id,
        region=region,
        starts_at=starts_at,
        ends_at=ends_at,
        source=_text(body, "source"),
        entered_by=entered_by,
        changed_by=entered_by,
        changed_at=now,
    )


def lifting(found: SuspensionChanged, body: Mapping[str, Any], now: datetime) -> SuspensionChanged:
    """The declaration with its end: ends_at, or now; it may also be put off.

    Raises:
        SuspensionError: naming the field.
    """
    _known_fields(body, LIFTED)
    ends_at = _time(body, "ends_at") or now
    if ends_at < now:
        raise SuspensionError("ends_at: want a time that is not over")
    return replace(found, ends_at=ends_at, changed_by=_text(body, "lifted_by"), changed_at=now)


def regions(pack: RulePack) -> frozenset[str]:
    """Countries with a pack, and the regions that numbers and addresses can tell."""
    told = {area.region for area in pack.geography.areas.values() if area.region} | set(pack.geography.region_zones)
    return pack.countries | {region for region in told if region.partition("-")[0] in pack.countries}


def in_force(change: SuspensionChanged) -> Suspension:
    """As the evaluation knows it."""
    return Suspension(region=change.region, starts_at=change.starts_at, ends_at=change.ends_at)


def _known_fields(body: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(body.keys() - known)
    if unknown:
        raise SuspensionError(f"{unknown[0][:LONGEST_TEXT]}: no such field here; want {', '.join(sorted(known))}")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT:
        raise SuspensionError(f"{name}: want a text of 1 to {LONGEST_TEXT} characters")
    return value.strip()


def _time(body: Mapping[str, Any], name: str) -> datetime | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise SuspensionError(f"{name}: want YYYY-MM-DDTHH:MM:SSZ") from None
    if time.tzinfo is None:
        raise SuspensionError(f"{name}: want a time with its zone, for example Z")
    return time.astimezone(UTC)
