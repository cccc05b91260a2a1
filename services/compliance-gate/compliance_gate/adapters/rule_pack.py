"""Rule packs from YAML files and the area-code table from its CSV, checked while they load."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import io
import zoneinfo
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from compliance_gate.adapters.pack_rows import (
    Row,
    RulePackError,
    caller_id_rule,
    cap_rule,
    consent_rule,
    cooldown_rule,
    day,
    holiday_set,
    list_rule,
    numbering,
    recording_duty,
    texts,
    window_rule,
)
from compliance_gate.domain.rules import Area, Geography, PackFile, RulePack

DATA = resources.files("compliance_gate") / "data"
PLACES, HOUSE = "places.yaml", "house.yaml"
LAW = (
    "us_federal.yaml", "us_states.yaml", "ca.yaml", "gb.yaml", "fr.yaml", "de.yaml", "es.yaml", "au.yaml", "in.yaml",
)  # fmt: skip
KINDS = ("windows", "consents", "caps", "cooldowns", "lists", "recordings", "caller_ids")
FIELDS = {"version", "countries", "revoke_all_from", "holidays", *KINDS}
PLACE_FIELDS = {"version", "numberings", "country_zones", "other_region_zones", "region_zones"}


def pin_time_zones() -> str:
    """Makes the tzdata wheel the only source of zones and returns its version (RULES.md 4.3).

    The operating system's copy is ignored: it is stale for three Canadian provinces.
    """
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    return importlib.metadata.version("tzdata")


def shipped(*names: str) -> tuple[Traversable, ...]:
    """Pack files of this package by name; without names the law of every country and the house's own rows."""
    return tuple(DATA / "packs" / name for name in names or (*LAW, HOUSE))


def load_rule_pack(files: Sequence[Path | Traversable] = (), *, tzdata: str) -> RulePack:
    """The packs in `files` joined into one (none: the shipped ones); the version names them all.

    Raises:
        RulePackError: a file breaks its shape, or two rows share an id.
    """
    parts = [_part(file.name, _read(file)) for file in files or shipped()]
    pack = RulePack(
        version="+".join(dict.fromkeys(part.version for part in parts)),
        tzdata=tzdata,
        countries=frozenset(c for part in parts for c in part.countries),
        geography=_geography(),
        windows=tuple(rule for part in parts for rule in part.windows),
        consents=tuple(rule for part in parts for rule in part.consents),
        caps=tuple(rule for part in parts for rule in part.caps),
        cooldowns=tuple(rule for part in parts for rule in part.cooldowns),
        lists=tuple(rule for part in parts for rule in part.lists),
        recordings=tuple(duty for part in parts for duty in part.recordings),
        caller_ids=tuple(rule for part in parts for rule in part.caller_ids),
        revoke_all_from=min(part.revoke_all_from for part in parts),
        files=tuple(file for part in parts for file in part.files),
    )
    for rule_id, times in Counter(row.rule_id for row in pack.rows).items():
        if times > 1:
            raise RulePackError(f"{rule_id}: rule_id: {times} rows have it")
    return pack


def _read(file: Path | Traversable) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RulePackError(f"{file.name}: can't be read as UTF-8 ({type(error).__name__})") from None


def _part(name: str, content: str) -> RulePack:
    """One file as a pack of its own, without geography."""
    data = _mapping(name, content, FIELDS)
    head = Row(name, {key: data[key] for key in ("version", "countries", "revoke_all_from") if key in data})
    holidays = {key: holiday_set(key, days) for key, days in (data.get("holidays") or {}).items()}
    return RulePack(
        version=head.take("version", str),
        tzdata="",
        countries=frozenset(head.maybe("countries", texts) or ()),
        geography=Geography(areas={}, region_zones={}, country_zones={}, other_region_zones={}),
        windows=tuple(window_rule(row, holidays) for row in _rows(name, data, "windows")),
        consents=tuple(consent_rule(row) for row in _rows(name, data, "consents")),
        caps=tuple(cap_rule(row) for row in _rows(name, data, "caps")),
        cooldowns=tuple(cooldown_rule(row) for row in _rows(name, data, "cooldowns")),
        lists=tuple(list_rule(row) for row in _rows(name, data, "lists")),
        recordings=tuple(recording_duty(row) for row in _rows(name, data, "recordings")),
        caller_ids=tuple(caller_id_rule(row) for row in _rows(name, data, "caller_ids")),
        revoke_all_from=head.take("revoke_all_from", day, date.max),
        files=(PackFile(name=name, version=data["version"], sha256=hashlib.sha256(content.encode()).hexdigest()),),
    )


def _rows(name: str, data: Mapping[str, Any], kind: str) -> Iterator[Row]:
    rows = data.get(kind, [])
    if not isinstance(rows, list):
        raise RulePackError(f"{name}: {kind}: want a list of rows")
    return (Row(f"{name}: {kind}[{number}]", row) for number, row in enumerate(rows))


def _mapping(name: str, content: str, known: set[str]) -> Mapping[str, Any]:
    try:
        data = yaml.safe_load(content)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        raise RulePackError(f"{name}: not YAML (line {where.line + 1 if where else '?'})") from None
    if not isinstance(data, dict) or "version" not in data or data.keys() - known:
        raise RulePackError(f"{name}: want a mapping with version and only {sorted(known)}")
    return data


def _geography() -> Geography:
    data = _mapping(PLACES, (DATA / "packs" / PLACES).read_text("utf-8"), PLACE_FIELDS)
    return Geography(
        areas=_areas((DATA / "nanp_npa.csv").read_text("utf-8")),
        numberings=tuple(numbering(row) for row in _rows(PLACES, data, "numberings")),
        region_zones=_zones(data["region_zones"]),
        country_zones=_zones(data["country_zones"]),
        other_region_zones=_zones(data["other_region_zones"]),
    )


def _zones(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: texts(zones) for name, zones in table.items()}


def _areas(content: str) -> dict[str, Area]:
    return {
        row["npa"]: Area(
            country=row["country"],
            region=row["region"],
            kind=row["kind"],
            zones=tuple(row["zones"].replace(";", " ").replace("|", " ").split()),
        )
        for row in csv.DictReader(io.StringIO(content))
    }
