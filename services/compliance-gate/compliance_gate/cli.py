"""The gate's own tools: make a signing key; verify a ledger export with nothing but the public keys.

Exit codes: 0 it holds, 1 it does not, 2 bad usage or unreadable input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from compliance_gate.config import Config, ConfigError
from compliance_gate.domain import jose, verification
from compliance_gate.restored import NoSuchLock, say_restored

EXAMPLES = """examples:
  compliance-gate run
  compliance-gate keys new --out keys/
  compliance-gate ledger verify export.jsonl --jwks keys/jwks.json
  compliance-gate ledger verify export.jsonl --jwks keys/jwks.json --json
  compliance-gate restored
"""
SHOWN_PROBLEMS = 20


class UsageError(Exception):
    """What was asked for can't be tried; the text names the argument and what to do."""


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except UsageError as error:
        print(f"compliance-gate: {error}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="compliance-gate",
        description="Decides whether a call may be placed. No command, or run: the service. migrate: its database.",
        epilog=EXAMPLES,
        formatter_class=raw,
    )
    areas = parser.add_subparsers(required=True, metavar="keys|ledger|restored")
    keys = areas.add_parser("keys", help="signing keys").add_subparsers(required=True, metavar="new")
    new = keys.add_parser(
        "new",
        help="make an Ed25519 key",
        description="Writes signing.jwk (private, 0600) and jwks.json (public). Never overwrites.",
        epilog="example:\n  compliance-gate keys new --out keys/",
        formatter_class=raw,
    )
    new.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder, made if absent")
    new.add_argument("--kid", default="", help="key id (default: a random one)")
    new.add_argument("--json", action="store_true", help="print a JSON object")
    new.set_defaults(run=_keys_new)
    ledger = areas.add_parser("ledger", help="the ledger").add_subparsers(required=True, metavar="verify")
    check = ledger.add_parser(
        "verify",
        help="verify an export offline",
        description="Checks every hash, link, root and signature of an export of GET /v1/ledger/export.",
        epilog="example:\n  compliance-gate ledger verify export.jsonl --jwks keys/jwks.json",
        formatter_class=raw,
    )
    check.add_argument("export", type=Path, metavar="EXPORT.jsonl")
    check.add_argument("--jwks", type=Path, required=True, metavar="FILE", help="public keys of the gate")
    check.add_argument("--json", action="store_true", help="print a JSON object")
    check.set_defaults(run=_ledger_verify)
    restored = areas.add_parser(
        "restored",
        help="the database was restored",
        description="Locks Redeem at once, and has the topics read again from their beginnings. Reads the service's "
        "environment. The gate opens by itself, after one clearance lifetime, when it has read everything.",
        epilog="examples:\n  compliance-gate restored\n  compliance-gate restored --accept-loss",
        formatter_class=raw,
    )
    restored.add_argument(
        "--accept-loss", action="store_true", help="answer for redemptions that no topic holds any more"
    )
    restored.add_argument("--json", action="store_true", help="print a JSON object")
    restored.set_defaults(run=_restored)
    return parser


def _restored(options: argparse.Namespace) -> int:
    try:
        dsn = Config.from_env().postgres_dsn
        lock = asyncio.run(say_restored(dsn, accept_loss=options.accept_loss))
    except (ConfigError, NoSuchLock) as error:
        raise UsageError(str(error)) from None
    except (OSError, asyncpg.PostgresError) as error:
        raise UsageError(f"OUTDIAL_POSTGRES_DSN: the database does not answer ({type(error).__name__})") from None
    facts = {"reason": lock.reason, "restored": lock.restored, "unrestorable": lock.unrestorable}
    _say(options, {**facts, "accepted": lock.accepted}, lock.sentence(0))
    return 0


def _keys_new(options: argparse.Namespace) -> int:
    folder: Path = options.out
    private, public = folder / "signing.jwk", folder / "jwks.json"
    key_id = options.kid or uuid.uuid4().hex[:12]
    key = OKPKey.generate_key(jose.ALGORITHM, {"kid": key_id})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(key.as_dict(private=True), file)
        with public.open("x") as file:
            json.dump({"keys": [jose.public_part(key)]}, file, indent=1)
    except FileExistsError:
        raise UsageError(f"--out {folder}: it holds a key already; choose another folder") from None
    except OSError as error:
        raise UsageError(f"--out {folder}: can't be written ({error.strerror})") from None
    facts = {"kid": key_id, "private": str(private), "public": str(public)}
    _say(options, facts, f"wrote {private} (private, 0600) and {public} (public); kid {key_id}")
    return 0


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
        _say(options, facts, f"OK: {words}; every hash, link, root and signature holds")
        return 0
    shown = "\n".join(f"{p['record']}: {p['what']}" for p in problems[:SHOWN_PROBLEMS])
    _say(options, facts, f"NOT OK: {len(problems)} problem(s)\n{shown}")
    return 1


def _public_keys(path: Path) -> KeySet:
    try:
        return KeySet.import_key_set(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"--jwks {path}: can't be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise UsageError(f"--jwks {path}: want a JWKS ({type(error).__name__})") from None


def _say(options: argparse.Namespace, facts: Mapping[str, Any], sentence: str) -> None:
    print(json.dumps(facts) if options.json else sentence)
