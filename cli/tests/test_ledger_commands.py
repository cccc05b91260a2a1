"""A ledger that is fetched stands whole or not at all, and its checkpoints are lines that the gate's verifier takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from compliance_gate.domain.ledger import Checkpoint
from outdial_cli.__main__ import app
from outdial_cli.commands.ledger import _write, checkpoint_line
from outdial_contracts.events import ComplianceLedger

KEY = {"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
"""RFC 8037, A.2."""


def test_line_of_a_checkpoint_is_the_gates_own() -> None:
    claims = {"chain_id": "b.decisions", "seq": 7, "head": "ab" * 32, "root": "cd" * 32, "signature": "e.y.j"}
    event = ComplianceLedger(**claims, key_id="k1", at=datetime(2026, 11, 17, tzinfo=UTC))
    assert checkpoint_line(event) == Checkpoint(**claims).line()


def test_lines_are_counted_across_pieces(tmp_path: Path) -> None:
    whole = b'{"n":1,"type":"record"}\n{"n":2,"type":"record"}\n{"type":"manifest"}\n'
    for size in (1, 5, 22, 23, 24, 1000):
        pieces = (whole[at : at + size] for at in range(0, len(whole), size))
        assert _write(tmp_path / "export.jsonl", pieces, b'"type":"record"}') == 2
        assert (tmp_path / "export.jsonl").read_bytes() == whole


def test_an_export_that_breaks_off_leaves_the_file_before_alone(tmp_path: Path) -> None:
    out = tmp_path / "export.jsonl"
    out.write_bytes(b"before")

    def breaking() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        _write(out, breaking(), b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["export.jsonl"]
    assert out.read_bytes() == b"before"


def test_verify_is_the_gates_tool_with_its_exit_codes(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.jsonl")
    assert CliRunner().invoke(app, ["ledger", "verify", missing, "--jwks", missing]).exit_code == 2
    export, jwks = tmp_path / "export.jsonl", tmp_path / "jwks.json"
    export.write_text("{}\n")
    jwks.write_text(json.dumps({"keys": [KEY]}))
    assert CliRunner().invoke(app, ["ledger", "verify", str(export), "--jwks", str(jwks)]).exit_code == 1
