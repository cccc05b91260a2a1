"""The ledger, verified offline by the gate's own tool on an export; then once more with one byte altered."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LedgerProof:
    """What the verifier said of both."""

    records: int
    verified: bool
    altered_found: bool
    altered_named: str
    """The verifier's words on the altered copy."""


def prove(verifier: Path, export: bytes, jwks: Path, folder: Path) -> LedgerProof:
    """Writes ledger.jsonl and ledger.altered.jsonl to the folder and verifies both."""
    good, bad = folder / "ledger.jsonl", folder / "ledger.altered.jsonl"
    good.write_bytes(export)
    bad.write_bytes(altered(export))
    honest, tampered = _verify(verifier, good, jwks), _verify(verifier, bad, jwks)
    return LedgerProof(
        records=sum(1 for line in export.splitlines() if b'"root"' not in line),
        verified=honest.returncode == 0,
        altered_found=tampered.returncode == 1,
        altered_named=(tampered.stderr + tampered.stdout).strip().splitlines()[-1] if tampered.returncode else "",
    )


def altered(export: bytes) -> bytes:
    """One letter within the body of the middle record changed for another."""
    lines = export.splitlines(keepends=True)
    records = [n for n, line in enumerate(lines) if b'"root"' not in line]
    n = records[len(records) // 2]
    body = bytearray(lines[n])
    place = _letter_in_a_value(body)
    body[place] = ord("x") if body[place] != ord("x") else ord("y")
    return b"".join([*lines[:n], bytes(body), *lines[n + 1 :]])


def _letter_in_a_value(line: bytearray) -> int:
    """Place of the last letter of the record's longest text, so that it stays well-formed JSON."""
    record = json.loads(line)
    longest = max(_texts(record), key=len)
    start = bytes(line).index(longest.encode())
    return start + len(longest.encode()) - 1


def _texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, dict):
        return [text for value in node.values() for text in _texts(value)]
    return [text for value in node for text in _texts(value)] if isinstance(node, list) else []


def _verify(verifier: Path, export: Path, jwks: Path) -> subprocess.CompletedProcess[str]:
    command = [str(verifier), "ledger", "verify", str(export), "--jwks", str(jwks)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
