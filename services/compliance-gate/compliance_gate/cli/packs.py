"""`compliance-gate packs`: is a pack sound, what is in it, and what would another version change."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Column, Table

from compliance_gate.cli.evaluate import answer, open_cases, read_cases
from compliance_gate.cli.explain import NOT_LEGAL_ADVICE, PAGE_COLUMNS, asks_for
from compliance_gate.cli.terms import RAW, pack_of
from compliance_gate.domain.decision import evaluate
from compliance_gate.domain.rules import PackRow, RulePack

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas

EXAMPLES = """examples:
  compliance-gate packs check my_pack.yaml
  compliance-gate packs compare --new my_pack.yaml
  compliance-gate packs compare --old v1.yaml --new v2.yaml --cases leads.jsonl
"""
SHOWN_CHANGES = 20


def add_to(areas: Areas) -> None:
    """Adds the words to the command line."""
    words = areas.add_parser("packs", help="rule packs", epilog=EXAMPLES, formatter_class=RAW).add_subparsers(
        required=True, metavar="check|compare"
    )
    check = words.add_parser("check", help="load files as one pack and say what is in it")
    check.add_argument("files", nargs="*", type=Path, metavar="PACK.yaml", help="default: the shipped packs")
    check.add_argument("--json", action="store_true", help="print a JSON object")
    check.set_defaults(run=_check)
    compare = words.add_parser(
        "compare",
        help="rows that differ between two packs, and decisions that would",
        description="Exit code 1 when they differ: rows, or with --cases the decision of any case.",
        epilog=EXAMPLES,
        formatter_class=RAW,
    )
    for side, default in (("old", "the shipped packs"), ("new", "the shipped packs")):
        compare.add_argument(f"--{side}", type=Path, action="append", default=[], metavar="FILE", help=default)
    compare.add_argument("--cases", metavar="CASES.jsonl", help="what would change for these leads")
    compare.add_argument("--json", action="store_true", help="print a JSON object")
    compare.set_defaults(run=_compare)


def _check(options: argparse.Namespace) -> int:
    pack = pack_of(options, options.files)
    kinds = Counter(map(kind_of, pack.rows))
    facts = {"version": pack.version, "tzdata": pack.tzdata, "countries": sorted(pack.countries), "rows": dict(kinds)}
    if options.json:
        print(json.dumps(facts))
        return 0
    table = Table(
        Column("rule", no_wrap=True),
        "where",
        "asks for",
        "basis",
        "citation",
        box=box.SIMPLE,
        show_edge=False,
        pad_edge=False,
    )
    for rule in pack.rows:
        origin = rule.origin
        where = rule.scope.jurisdiction
        table.add_row(rule.rule_id, where, asks_for(rule), f"{origin.basis} {origin.confidence}", origin.citation)
    console = _console()
    console.print(table)
    rows = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    console.print(f"rule pack {pack.version}: {len(pack.rows)} rows ({rows}). {NOT_LEGAL_ADVICE}")
    return 0


def kind_of(row: PackRow) -> str:
    """window, consent, cap, cooldown, list, recording or caller_id."""
    name = type(row).__name__.removesuffix("Rule").removesuffix("Duty")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _compare(options: argparse.Namespace) -> int:
    old, new = pack_of(options, options.old), pack_of(options, options.new)
    rows = _changed_rows(old, new)
    cases = _changed_cases(options.cases, old, new) if options.cases else []
    if options.json:
        print(json.dumps({"old": old.version, "new": new.version, "rows": rows, "cases": cases}))
        return int(bool(rows or cases))
    console = _console()
    console.print(f"{old.version} -> {new.version}: {sum(map(len, rows.values()))} rows differ")
    for change, rule_ids in rows.items():
        console.print(f"  {change}: {', '.join(rule_ids)}")
    if options.cases:
        console.print(f"{len(cases)} cases would be decided otherwise")
        for case in cases[:SHOWN_CHANGES]:
            console.print(f"  {case['id']}: {_words(case['old'])} -> {_words(case['new'])}")
    return int(bool(rows or cases))


def _changed_rows(old: RulePack, new: RulePack) -> dict[str, list[str]]:
    before = {rule.rule_id: rule for rule in old.rows}
    after = {rule.rule_id: rule for rule in new.rows}
    found = {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(r for r in before.keys() & after.keys() if before[r] != after[r]),
    }
    return {change: rule_ids for change, rule_ids in found.items() if rule_ids}


def _changed_cases(path: str, old: RulePack, new: RulePack) -> list[dict[str, Any]]:
    changed = []
    with open_cases(path) as lines:
        for case in read_cases(lines, new):
            before, after = (answer(case, evaluate(case.facts, case.now, pack)) for pack in (old, new))
            if before != after:
                changed.append({"id": case.case_id, "old": before, "new": after})
    return changed


def _words(decision: dict[str, Any]) -> str:
    return " ".join([decision["decision"], *decision["reasons"]])


def _console() -> Console:
    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PAGE_COLUMNS)
