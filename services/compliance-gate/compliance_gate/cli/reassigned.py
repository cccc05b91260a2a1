"""`compliance-gate reassigned`: questions to the Reassigned Numbers Database, and its answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from compliance_gate.cli.terms import RAW, Tools, UsageError, pack_of, say

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas

EXAMPLES = """examples:
  compliance-gate reassigned export --out questions.csv
  compliance-gate reassigned import answers.csv --answered-at 2026-11-16T00:00:00Z
"""


def add_to(areas: Areas) -> None:
    """Adds the words to the command line."""
    words = areas.add_parser(
        "reassigned", help="the Reassigned Numbers Database (US)", epilog=EXAMPLES, formatter_class=RAW
    )
    verbs = words.add_subparsers(required=True, metavar="export|import")
    out = verbs.add_parser(
        "export",
        help="write what to ask",
        description="Writes number,date (10 digits, YYYYMMDD) for every number of the United States that was ever "
        "offered with a consent. Reads the service's environment. The file holds telephone numbers and is readable "
        "for its owner only.",
        epilog=EXAMPLES,
        formatter_class=RAW,
    )
    out.add_argument("--out", type=Path, required=True, metavar="FILE")
    out.add_argument("--json", action="store_true", help="print a JSON object")
    out.set_defaults(run=_export)
    come = verbs.add_parser(
        "import",
        help="read what was answered",
        description="Reads number,date,answer with yes, no or no_data; all of it or nothing. A yes makes consents "
        "from before void (CONSENT_REASSIGNED), a no is a safe harbour, no_data is none.",
        epilog=EXAMPLES,
        formatter_class=RAW,
    )
    come.add_argument("file", type=Path, metavar="FILE")
    come.add_argument("--answered-at", metavar="TIME", help="when they were given, YYYY-MM-DDTHH:MM:SSZ (now)")
    come.add_argument("--json", action="store_true", help="print a JSON object")
    come.set_defaults(run=_import)


def _export(options: argparse.Namespace) -> int:
    tools: Tools = options.tools
    pack = pack_of(options, ())
    try:
        rows = tools.export_questions(pack, options.out, _progress(options, "questions"))
    except (ValueError, OSError) as error:
        raise UsageError(_sentence(error)) from None
    say(options, {"questions": rows, "file": str(options.out)}, f"{rows:,} questions in {options.out}")
    return 0


def _import(options: argparse.Namespace) -> int:
    tools: Tools = options.tools
    now = datetime.now(UTC)
    answered_at = _time(options.answered_at) if options.answered_at else now
    if answered_at > now:
        raise UsageError("--answered-at: want a time that is over")
    try:
        replies = tools.import_answers(options.file, answered_at, now, _progress(options, "answers"))
    except (ValueError, OSError) as error:
        raise UsageError(f"{_sentence(error)}; nothing was imported") from None
    said = ", ".join(f"{count:,} {reply.lower()}" for reply, count in replies.items())
    say(options, {"replies": replies, "answered_at": answered_at.isoformat()}, f"in force: {said}")
    return 0


def _sentence(error: ValueError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'FILE'}: {error.strerror or type(error).__name__}"
    return str(error)


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError("--answered-at: want YYYY-MM-DDTHH:MM:SSZ") from None


def _progress(options: argparse.Namespace, what: str) -> Callable[[int], None]:
    """Says how far it is, for a person who watches."""
    watched = sys.stderr.isatty() and not options.json

    def show(rows: int) -> None:
        if watched:
            print(f"\r{rows:,} {what}", end="", file=sys.stderr, flush=True)

    return show
