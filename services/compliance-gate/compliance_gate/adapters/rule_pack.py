"""Rule packs from YAML files and the area-code table from its CSV, checked while they load."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from compliance_gate.domain.rules import Area, CapRule, ConsentRule, RulePack, Scope, WindowRule
from outdial_contracts.events import CallMode, ConsentLevel, LineType, Purpose, RuleOutcome

DATA = resources.files("compliance_gate") / "data"
SHIPPED = ("us_federal.yaml", "house.yaml")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Row = Mapping[str, Any]


class RulePackError(ValueError):
    """A pack file breaks its shape; the text names file, row and rule."""


def pin_time_zones() -> str:
    """Makes the tzdata wheel the only source of zones and returns its version (RULES.md 4.3).

    The operating system's copy is ignored: it is stale for three Canadian provinces.
    """
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    return importlib.metadata.version("tzdata")


def load_rule_pack(files: Sequence[Path] = (), *, tzdata: str) -> RulePack:
    """The packs in `files` joined into one (none: the shipped ones); the version names them all.

    Raises:
        RulePackError: a file breaks its shape.
    """
    texts = [(p.name, p.read_text("utf-8")) for p in files] or [(n, (DATA / n).read_text("utf-8")) for n in SHIPPED]
    parts = [_parse(name, text) for name, text in texts]
    rows = {kind: [row for part in parts for row in part.get(kind, ())] for kind in ("windows", "consents", "caps")}
    zones = {region: tuple(names) for part in parts for region, names in part.get("region_zones", {}).items()}
    return RulePack(
        version="+".join(str(part["version"]) for part in parts),
        tzdata=tzdata,
        countries=frozenset(c for part in parts for c in part.get("countries", ())),
        areas=_areas((DATA / "nanp_npa.csv").read_text("utf-8")),
        region_zones=zones,
        windows=tuple(_window(row) for row in rows["windows"]),
        consents=tuple(_consent(row) for row in rows["consents"]),
        caps=tuple(_cap(row) for row in rows["caps"]),
        revoke_all_from=min((part["revoke_all_from"] for part in parts if "revoke_all_from" in part), default=date.max),
    )


def _parse(name: str, text: str) -> Row:
    data = yaml.safe_load(text)
    known = {"version", "countries", "revoke_all_from", "windows", "consents", "caps", "region_zones"}
    if not isinstance(data, dict) or "version" not in data or data.keys() - known:
        raise RulePackError(f"{name}: want a mapping with version and only {sorted(known)}")
    return data


def _areas(text: str) -> dict[str, Area]:
    return {
        row["npa"]: Area(
            country=row["country"],
            region=row["region"],
            kind=row["kind"],
            zones=tuple(row["zones"].replace(";", " ").replace("|", " ").split()),
        )
        for row in csv.DictReader(io.StringIO(text))
    }


def _scope(row: Row) -> Scope:
    return Scope(
        jurisdiction=row["jurisdiction"],
        purposes=frozenset(Purpose(p) for p in row.get("purposes", ())),
        consumers_only=bool(row.get("consumers_only", False)),
        modes=frozenset(CallMode(m) for m in row.get("modes", ())),
        line_types=frozenset(LineType(t) for t in row.get("line_types", ())),
    )


def _window(row: Row) -> WindowRule:
    _only(row, "hours")
    windows: dict[int, tuple[tuple[time, time], ...]] = {}
    for days, spans in row["hours"].items():
        for weekday in _weekdays(days, row["rule_id"]):
            windows[weekday] = tuple(_span(span, row["rule_id"]) for span in spans)
    return WindowRule(rule_id=row["rule_id"], scope=_scope(row), windows=windows, citation=row["citation"])


def _weekdays(days: str, rule_id: str) -> Iterable[int]:
    if days == "daily":
        return range(7)
    first, _, last = days.partition("-")
    if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
        raise RulePackError(f"{rule_id}: want daily, mon or mon-fri")
    return range(WEEKDAYS.index(first), WEEKDAYS.index(last or first) + 1)


def _span(span: str, rule_id: str) -> tuple[time, time]:
    opens, _, closes = span.partition("-")
    try:
        return time.fromisoformat(opens), time.fromisoformat(closes)
    except ValueError:
        raise RulePackError(f"{rule_id}: a window is HH:MM-HH:MM") from None


def _consent(row: Row) -> ConsentRule:
    _only(row, "level")
    level = ConsentLevel(row["level"])
    return ConsentRule(rule_id=row["rule_id"], scope=_scope(row), level=level, citation=row["citation"])


def _cap(row: Row) -> CapRule:
    _only(row, "max_attempts", "window_hours", "same_topic", "not_counted")
    return CapRule(
        rule_id=row["rule_id"],
        scope=_scope(row),
        max_attempts=int(row["max_attempts"]),
        window_hours=int(row["window_hours"]),
        same_topic=bool(row["same_topic"]),
        not_counted=frozenset(RuleOutcome(o) for o in row.get("not_counted", ())),
        citation=row["citation"],
    )


def _only(row: Row, *own: str) -> None:
    known = {"rule_id", "jurisdiction", "purposes", "consumers_only", "modes", "line_types", "citation", *own}
    if unknown := row.keys() - known:
        raise RulePackError(f"{row.get('rule_id')}: keys {sorted(unknown)} are not understood")
