"""The drop limits of jurisdictions from their YAML file, checked while it loads."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from compliance_gate.adapters.pack_rows import Row, RulePackError, count, flag, one_of, text
from compliance_gate.adapters.rule_pack import DATA
from compliance_gate.domain.drop_limits import ANY, DropLimit, DropLimits
from compliance_gate.domain.rules import Basis, Confidence

SHIPPED = DATA / "drop_limits.yaml"


def load_drop_limits(file: Path | Traversable = SHIPPED) -> DropLimits:
    """The file's rows.

    Raises:
        RulePackError: names file, row, field and what is wanted.
    """
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RulePackError(f"{file.name}: {type(error).__name__}: want readable YAML") from None
    whole = Row(file.name, data)
    version, rows = whole.take("version", text), whole.take("limits", _rows)
    whole.done()
    limits = [_limit(Row(f"{file.name}: limits: row {n}", row)) for n, row in enumerate(rows, start=1)]
    by_name = {limit.jurisdiction: limit for limit in limits}
    if len(by_name) != len(limits):
        raise RulePackError(f"{file.name}: limits: want one row per jurisdiction")
    if ANY not in by_name:
        raise RulePackError(f'{file.name}: limits: want a row of "{ANY}"')
    return DropLimits(version=version, rows=by_name)


def _rows(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise RulePackError("want a list that is not empty")
    return value


def _limit(row: Row) -> DropLimit:
    jurisdiction, limit = row.take("jurisdiction", text), row.take("limit", _share)
    days, month = row.maybe("days", count), row.take("month", flag, default=False)
    citation = row.take("citation", text)
    row.take("basis", one_of(Basis))
    row.take("confidence", one_of(Confidence))
    row.done()
    if (days is None) is not month:
        raise RulePackError(f"{row.name}: days, month: want days, or month: true")
    return DropLimit(jurisdiction=jurisdiction, limit=limit, days=days, citation=citation)


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise RulePackError("want a share from 0 to 1")
    return float(value)
