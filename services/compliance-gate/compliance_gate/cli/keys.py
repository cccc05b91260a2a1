"""`compliance-gate keys`: signing keys."""

from __future__ import annotations

import argparse
import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from joserfc.jwk import OKPKey

from compliance_gate.cli.terms import RAW, UsageError, say
from compliance_gate.domain import jose

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas


def add_to(areas: Areas) -> None:
    """Adds the words to the command line."""
    keys = areas.add_parser("keys", help="signing keys").add_subparsers(required=True, metavar="new")
    new = keys.add_parser(
        "new",
        help="make an Ed25519 key",
        description="Writes signing.jwk (private, 0600) and jwks.json (public). Never overwrites.",
        epilog="example:\n  compliance-gate keys new --out keys/",
        formatter_class=RAW,
    )
    new.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder, made if absent")
    new.add_argument("--kid", default="", help="key id (default: a random one)")
    new.add_argument("--json", action="store_true", help="print a JSON object")
    new.set_defaults(run=_keys_new)


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
    say(options, facts, f"wrote {private} (private, 0600) and {public} (public); kid {key_id}")
    return 0
