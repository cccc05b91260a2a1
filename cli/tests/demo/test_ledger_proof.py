"""The altered byte is inside a record's text, and the copy stays JSON: only the hashes can tell."""

from __future__ import annotations

import json

from outdial_cli.demo.ledger_proof import altered

EXPORT = b"".join(
    json.dumps(line).encode() + b"\n"
    for line in [
        {"chain_id": "c", "seq": 1, "hash": "aa", "body": {"kind": "decision"}},
        {"chain_id": "c", "seq": 2, "hash": "bb", "body": {"kind": "a longer text than the others"}},
        {"chain_id": "c", "seq": 3, "hash": "cc", "body": {"kind": "close"}},
        {"chain_id": "c", "seq": 3, "root": "dd", "signature": "ee"},
    ]
)


def test_exactly_one_byte_of_the_middle_record_changes() -> None:
    changed = altered(EXPORT)
    different = [n for n, (a, b) in enumerate(zip(EXPORT, changed, strict=True)) if a != b]
    assert len(different) == 1
    before, after = EXPORT.splitlines()[1], changed.splitlines()[1]
    assert before != after
    assert json.loads(after)["body"]["kind"] == "a longer text than the otherx"
