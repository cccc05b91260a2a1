"""`compliance-gate keys`: signing keys, made, rotated and retired so that nothing signed before stops holding.

A folder holds three files. signing.jwk (private): the gate's; its first key signs, the others are believed.
jwks.json: their public parts, for gateways. ledger-jwks.json: every public key there ever was, for the ledger.
"""

from __future__ import annotations

import argparse
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from compliance_gate.cli.terms import RAW, UsageError, say
from compliance_gate.domain import jose

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas

EPILOG = """a rotation, in this order (docs/keys.md):
  compliance-gate keys new --add --out keys/    then roll out jwks.json, then signing.jwk
  compliance-gate keys rotate --out keys/       then roll out signing.jwk
  compliance-gate keys retire KID --out keys/   one clearance lifetime later; then roll out both
"""


@dataclass(frozen=True)
class _Folder:
    """The files of a key folder."""

    path: Path

    @property
    def signing(self) -> Path:
        return self.path / "signing.jwk"

    @property
    def public(self) -> Path:
        return self.path / "jwks.json"

    @property
    def ledger(self) -> Path:
        return self.path / "ledger-jwks.json"

    def read(self) -> list[dict[str, Any]]:
        """The JWKs of signing.jwk, the one that signs first."""
        try:
            data = json.loads(self.signing.read_text("utf-8"))
            keys = data.get("keys", [data])
            for key in keys:
                OKPKey.import_key(key)
        except OSError as error:
            raise UsageError(f"--out {self.path}: no signing.jwk that can be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
            raise UsageError(f"--out {self.path}: signing.jwk is no JWK or JWKS ({type(error).__name__})") from None
        return list(keys)

    def write(self, keys: Sequence[dict[str, Any]]) -> None:
        """Public parts first, so that nobody signs with a key that no file of public keys has."""
        public = [jose.public_part(OKPKey.import_key(key)) for key in keys]
        known = {key["kid"]: key for key in [*self._ledger_keys(), *public]}
        _replace(self.ledger, {"keys": list(known.values())}, 0o644)
        _replace(self.public, {"keys": public}, 0o644)
        _replace(self.signing, keys[0] if len(keys) == 1 else {"keys": list(keys)}, 0o600)

    def _ledger_keys(self) -> list[dict[str, Any]]:
        """A folder of before had jwks.json only."""
        source = self.ledger if self.ledger.exists() else self.public
        return list(json.loads(source.read_text("utf-8"))["keys"]) if source.exists() else []


def add_to(areas: Areas) -> None:
    """Adds the words to the command line."""
    keys = areas.add_parser("keys", help="signing keys", epilog=EPILOG, formatter_class=RAW)
    verbs = keys.add_subparsers(required=True, metavar="new|rotate|retire")
    new = verbs.add_parser(
        "new",
        help="make an Ed25519 key",
        description="Writes signing.jwk (private, 0600), jwks.json, ledger-jwks.json (public). Never overwrites a key.",
        epilog=EPILOG,
        formatter_class=RAW,
    )
    new.add_argument("--kid", default="", help="key id (default: a random one)")
    new.add_argument("--add", action="store_true", help="beside the keys that are there; it does not sign yet")
    rotate = verbs.add_parser("rotate", help="let the added key sign", epilog=EPILOG, formatter_class=RAW)
    retire = verbs.add_parser("retire", help="believe a key no longer", epilog=EPILOG, formatter_class=RAW)
    retire.add_argument("kid", metavar="KID")
    for verb, run in ((new, _new), (rotate, _rotate), (retire, _retire)):
        verb.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the keys, made if absent")
        verb.add_argument("--json", action="store_true", help="print a JSON object")
        verb.set_defaults(run=_careful(run))


def _careful(run: Any) -> Any:
    def careful(options: argparse.Namespace) -> int:
        try:
            done: int = run(options, _Folder(options.out))
        except OSError as error:
            raise UsageError(f"--out {options.out}: can't be written ({error.strerror})") from None
        return done

    return careful


def _new(options: argparse.Namespace, folder: _Folder) -> int:
    if not options.add and (folder.signing.exists() or folder.public.exists()):
        raise UsageError(f"--out {folder.path}: it holds a key already; choose another folder, or --add to it")
    held = folder.read() if options.add else []
    key_id = options.kid or uuid.uuid4().hex[:12]
    if any(key.get("kid") == key_id for key in held):
        raise UsageError(f"--kid {key_id}: a key of that id is there")
    folder.path.mkdir(parents=True, exist_ok=True)
    key = OKPKey.generate_key(jose.ALGORITHM, {"kid": key_id})
    folder.write([*held, key.as_dict(private=True)])
    signs = held[0]["kid"] if held else key_id
    facts = {"kid": key_id, "signs": signs, "private": str(folder.signing), "public": str(folder.public)}
    sentence = f"wrote {folder.signing} (private, 0600) and {folder.public} (public); kid {key_id}"
    say(options, facts, sentence + (f"; {signs} signs until `keys rotate`" if held else ""))
    return 0


def _rotate(options: argparse.Namespace, folder: _Folder) -> int:
    signing, *others = folder.read()
    added = next((key for key in reversed(others) if "d" in key), None)
    if added is None:
        raise UsageError(f"--out {folder.path}: no added key waits to sign; `keys new --add` makes one")
    rest = [key for key in others if key is not added]
    # Whoever has signed never signs again: its private part is not kept.
    folder.write([added, *rest, jose.public_part(OKPKey.import_key(signing))])
    facts = {"signs": added["kid"], "believed": [key["kid"] for key in [*rest, signing]]}
    say(options, facts, f"{added['kid']} signs; {signing['kid']} is believed until `keys retire {signing['kid']}`")
    return 0


def _retire(options: argparse.Namespace, folder: _Folder) -> int:
    keys = folder.read()
    kept = [key for key in keys if key["kid"] != options.kid]
    if len(kept) == len(keys):
        raise UsageError(f"KID: no key of that id is in {folder.signing}")
    if options.kid == keys[0]["kid"]:
        raise UsageError("KID: this key signs; `keys rotate` first")
    folder.write(kept)
    facts = {"retired": options.kid, "signs": kept[0]["kid"], "believed": [key["kid"] for key in kept[1:]]}
    say(options, facts, f"{options.kid} is believed no longer; {folder.ledger} keeps its public part for the ledger")
    return 0


def _replace(file: Path, content: Any, mode: int) -> None:
    """In one step, so that nobody reads half a file."""
    fresh = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        json.dump(content, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
