"""`compliance-gate ledger`: verify an export with nothing but the public keys."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from compliance_gate.cli.terms import RAW, UsageError, say
from compliance_gate.domain import jose, verification

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas

SHOWN_PROBLEMS = 20


def add_to(areas: Areas) -> None:
    """Adds the words to the command line."""
    ledger = areas.add_parser("ledger", help="the ledger").add_subparsers(required=True, metavar="verify")
    check = ledger.add_parser(
        "verify",
        help="verify an export offline",
        description="Checks every hash, link, root and signature of an export of GET /v1/ledger/export.",
        epilog="example:\n  compliance-gate ledger verify export.jsonl --jwks keys/jwks.json",
        formatter_class=RAW,
    )
    check.add_argument("export", type=Path, metavar="EXPORT.jsonl")
    check.add_argument("--jwks", type=Path, required=True, metavar="FILE", help="public keys of the gate")
    check.add_argument("--json", action="store_true", help="print a JSON object")
    check.set_defaults(run=_ledger_verify)


def _ledger_verify(options: argparse.Namespace) -> int:
    keys = _public_keys(options.jwks)
    try:
        text = options.export.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"{options.export}: can't be read ({error.strerror})") from None
    found = verification.verify(text, lambda token: jose.verify(token, keys))
    problems = [{"record": problem.where, "what": problem.what} for problem in found.problems]
    counts = {"records": found.records, "chains": found.chains, "checkpoints": found.checkpoints}
    facts = {"ok": not problems, **counts, "problems": problems}
    if not problems:
        words = ", ".join(f"{n} {name}" for name, n in counts.items())
        say(options, facts, f"OK: {words}; every hash, link, root and signature holds")
        return 0
    shown = "\n".join(f"{p['record']}: {p['what']}" for p in problems[:SHOWN_PROBLEMS])
    say(options, facts, f"NOT OK: {len(problems)} problem(s)\n{shown}")
    return 1


def _public_keys(path: Path) -> KeySet:
    try:
        return KeySet.import_key_set(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"--jwks {path}: can't be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise UsageError(f"--jwks {path}: want a JWKS ({type(error).__name__})") from None
