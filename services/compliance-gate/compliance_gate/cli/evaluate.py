"""`compliance-gate evaluate`: what the rules say to cases written down in FORMAT.md's lines."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from compliance_gate.cli.cases import Case, CaseError, case_of
from compliance_gate.cli.explain import explain
from compliance_gate.cli.terms import RAW, UsageError, pack_of
from compliance_gate.domain.decision import Decision, evaluate
from compliance_gate.domain.rules import RulePack

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas

EXAMPLES = """examples:
  compliance-gate evaluate cases.jsonl
  compliance-gate evaluate --explain - < one_case.jsonl
  compliance-gate evaluate --pack my_pack.yaml --pack other.yaml cases.jsonl
"""


def add_to(areas: Areas) -> None:
    """Adds the word to the command line."""
    parser = areas.add_parser(
        "evaluate",
        help="decide cases, one JSON line each",
        description=(
            "Reads one case a line and prints {id, decision, reasons, rule_ids, next_allowed_utc} a line. Nothing is "
            "stored and no clock is read: the instant is each case's now_utc. Exit code 2: a line can't be read."
        ),
        epilog=EXAMPLES,
        formatter_class=RAW,
    )
    parser.add_argument("cases", metavar="CASES.jsonl", help="a file, or - for standard input")
    parser.add_argument("--pack", type=Path, action="append", default=[], metavar="FILE", help=PACK_HELP)
    parser.add_argument("--explain", action="store_true", help="a table for a person: rule by rule, with citations")
    parser.set_defaults(run=_evaluate)


PACK_HELP = "rule-pack file, repeatable (default: the law of every country shipped, without the house's own rows)"


def _evaluate(options: argparse.Namespace) -> int:
    pack = pack_of(options, options.pack)
    with open_cases(options.cases) as lines:
        for case in read_cases(lines, pack):
            decision = evaluate(case.facts, case.now, pack)
            if options.explain:
                explain(case, decision, pack)
            else:
                print(json.dumps(answer(case, decision), separators=(",", ":")))
    return 0


def open_cases(name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    """A file, or standard input for "-". Raises UsageError."""
    if name == "-":
        return contextlib.nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise UsageError(f"{name}: can't be read ({error.strerror})") from None


def read_cases(lines: IO[bytes], pack: RulePack) -> Iterator[Case]:
    """Every case of a file of lines; empty lines are skipped. Raises UsageError naming line and field."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield case_of(json.loads(line), pack.geography)
        except CaseError as error:
            raise UsageError(f"line {number}: {error}") from None
        except (ValueError, RecursionError):
            raise UsageError(f"line {number}: want one JSON object in UTF-8") from None


def answer(case: Case, decision: Decision) -> dict[str, Any]:
    """A decision in FORMAT.md's words."""
    return {
        "id": case.case_id,
        "decision": "allow" if decision.allowed else "block",
        "reasons": [reason.value for reason in decision.reasons],
        "rule_ids": list(decision.rule_ids),
        "next_allowed_utc": instant(decision.next_allowed_at),
    }


def instant(at: datetime | None) -> str | None:
    """YYYY-MM-DDTHH:MM:SSZ."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else None
