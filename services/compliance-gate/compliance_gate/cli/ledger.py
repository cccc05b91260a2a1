"""`compliance-gate ledger`: verify an export with nothing but the public keys."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from compliance_gate.cli.terms import RAW, UsageError, say
from compliance_gate.domain import jose, verification
from compliance_gate.domain.verification import Heads, Problem, Verifier

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas

SHOWN_PROBLEMS = 20
LONGEST_LINE_BYTES = 64 << 20
"""A manifest has 150 bytes for each chain; a file without newlines is not read into memory."""
SHOWN_EVERY = 20_000
NEWEST = "not proven: that no newer export exists; give --checkpoints (outdial ledger checkpoints) to compare"
EPILOG = """examples:
  compliance-gate ledger verify export.jsonl --jwks keys/ledger-jwks.json
  compliance-gate ledger verify export.jsonl --jwks keys/ledger-jwks.json --checkpoints checkpoints.jsonl
"""


def add_to(areas: Areas) -> None:
    """Adds the words to the command line."""
    ledger = areas.add_parser("ledger", help="the ledger").add_subparsers(required=True, metavar="verify")
    check = ledger.add_parser(
        "verify",
        help="verify an export offline",
        description="Checks every hash, link, root and signature of an export of GET /v1/ledger/export, line by line.",
        epilog=EPILOG,
        formatter_class=RAW,
    )
    check.add_argument("export", type=Path, metavar="EXPORT.jsonl")
    check.add_argument("--jwks", type=Path, required=True, metavar="FILE", help="public keys of the gate, all it had")
    check.add_argument("--checkpoints", type=Path, metavar="FILE", help="compliance.ledger as JSON lines")
    check.add_argument("--json", action="store_true", help="print a JSON object")
    check.set_defaults(run=_ledger_verify)


def _ledger_verify(options: argparse.Namespace) -> int:
    keys = _public_keys(options.jwks)
    began = time.monotonic()
    try:
        topic, contradictions = _topic(options.checkpoints, keys)
        found = _read(options, keys, topic)
    except OSError as error:
        raise UsageError(f"{error.filename or options.export}: can't be read ({error.strerror})") from None
    seconds = time.monotonic() - began
    problems = [{"record": problem.where, "what": problem.what} for problem in [*found.problems, *contradictions]]
    counts = {"records": found.records, "chains": found.chains, "checkpoints": found.checkpoints}
    facts = {
        "ok": not problems,
        **counts,
        "topic_checkpoints": sum(map(len, topic.values())),
        "lost_in_restores": found.lost,
        "seconds": round(seconds, 3),
        "records_per_second": round(found.records / max(seconds, 1e-9)),
        "problems": problems,
    }
    _say(options, facts, counts, found)
    return 1 if problems else 0


def _say(options: argparse.Namespace, facts: dict[str, object], counts: dict[str, int], found: Verifier) -> None:
    problems: list[dict[str, str]] = facts["problems"]  # type: ignore[assignment]
    rate = f"{facts['seconds']} s, {facts['records_per_second']:,} records/s"
    if problems:
        shown = "\n".join(f"{p['record']}: {p['what']}" for p in problems[:SHOWN_PROBLEMS])
        say(options, facts, f"NOT OK: {len(problems)} problem(s)\n{shown}")
        return
    words = ", ".join(f"{n} {name}" for name, n in counts.items())
    lines = [f"OK: {words}; every hash, link, root and signature holds ({rate})"]
    lines += [f"lost in a restore, as the ledger says: {c} up to {seq}" for c, seq in sorted(found.lost.items())]
    lines.append(
        f"as far as {facts['topic_checkpoints']} checkpoints of the topic say" if options.checkpoints else NEWEST
    )
    say(options, facts, "\n".join(lines))


def _read(options: argparse.Namespace, keys: KeySet, topic: Heads) -> Verifier:
    size = max(options.export.stat().st_size, 1)
    check = partial(_check, keys)
    verifier = Verifier(check=check, outline=verification.outline(_lines(options.export), check), topic=topic)
    shown = sys.stderr.isatty() and not options.json
    began, done = time.monotonic(), 0
    for number, line in enumerate(_lines(options.export), start=1):
        verifier.feed(line)
        done += len(line)
        if shown and number % SHOWN_EVERY == 0:
            rate = verifier.records / max(time.monotonic() - began, 1e-9)
            text = f"\r{verifier.records:,} records, {rate:,.0f}/s, {100 * done // size} %"
            print(text, end="", file=sys.stderr, flush=True)
    if shown and verifier.records >= SHOWN_EVERY:
        print(file=sys.stderr)
    verifier.finish()
    return verifier


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE_BYTES):
            yield line


def _topic(path: Path | None, keys: KeySet) -> tuple[Heads, list[Problem]]:
    if path is None:
        return {}, []
    return verification.topic_heads(_lines(path), partial(_check, keys))


def _check(keys: KeySet, token: str) -> Mapping[str, Any] | None:
    return jose.verify(token, keys)


def _public_keys(path: Path) -> KeySet:
    try:
        return KeySet.import_key_set(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"--jwks {path}: can't be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise UsageError(f"--jwks {path}: want a JWKS ({type(error).__name__})") from None
