"""The gate's ledger: take an export and the topic's checkpoints, and verify them anywhere, without the gate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import typer

from outdial_cli.commands.context import AsJson, DataDir, careful, print_json, running
from outdial_cli.demo.services import Refused
from outdial_cli.records import TopicReader
from outdial_contracts.events import ComplianceLedger

app = typer.Typer(help="The gate's ledger: export it, dump its checkpoints, verify both offline.", no_args_is_help=True)
READ_SECONDS = 60.0
"""Between two pieces of an export."""
SHOWN_EVERY_SECONDS = 0.5
Out = typer.Option(..., "--out", help="File to write; it is there only when it is whole.")


@app.command("export")
@careful
def ledger_export(out: Path = Out, data_dir: Path = DataDir, as_json: bool = AsJson) -> None:
    """Write the whole ledger with its checkpoints and a signed manifest as JSON lines.

    Example: outdial ledger export --out export.jsonl
    """
    url = f"{running(data_dir).addresses.url('compliance-gate')}/v1/ledger/export"
    with httpx.stream("GET", url, timeout=READ_SECONDS) as reply:
        if reply.status_code != 200:
            reply.read()
            raise Refused(f"GET /v1/ledger/export: {reply.status_code}")
        records = _write(out, _shown(reply.iter_bytes()), b'"type":"record"}')
    _say(as_json, out, records, "records")


@app.command("checkpoints")
@careful
def ledger_checkpoints(out: Path = Out, data_dir: Path = DataDir, as_json: bool = AsJson) -> None:
    """Write the signed checkpoints of the topic compliance.ledger: what `verify --checkpoints` compares with.

    Example: outdial ledger checkpoints --out checkpoints.jsonl
    """
    state = running(data_dir)
    found = TopicReader(state.bootstrap, state.topic_prefix).read([ComplianceLedger.TOPIC])[ComplianceLedger.TOPIC]
    events = [record.event for record in found if isinstance(record.event, ComplianceLedger)]
    checkpoints = _write(out, (f"{checkpoint_line(event)}\n".encode() for event in events), b'"type":"checkpoint"}')
    _say(as_json, out, checkpoints, "checkpoints")


@app.command("verify")
@careful
def ledger_verify(
    export: Path = typer.Argument(help="EXPORT.jsonl"),
    jwks: Path = typer.Option(..., "--jwks", help="Every public key the gate ever had (ledger-jwks.json)."),
    checkpoints: Path | None = typer.Option(None, "--checkpoints", help="What `outdial ledger checkpoints` wrote."),
    as_json: bool = AsJson,
) -> None:
    """Verify an export offline: any change up to the last checkpoint is found, the first bad record named.

    Exit code 0 when it holds, 1 when it does not, 2 for bad usage.

    Example: outdial ledger verify export.jsonl --jwks keys/ledger-jwks.json --checkpoints checkpoints.jsonl
    """
    tool = Path(sys.executable).with_name("compliance-gate")
    more = ["--checkpoints", str(checkpoints)] if checkpoints is not None else []
    more += ["--json"] if as_json else []
    done = subprocess.run([str(tool), "ledger", "verify", str(export), "--jwks", str(jwks), *more], check=False)
    raise typer.Exit(done.returncode)


def checkpoint_line(event: ComplianceLedger) -> str:
    """A checkpoint as it stands in an export: canonical JSON, without the newline."""
    claims = {"chain_id": event.chain_id, "seq": event.seq, "head": event.head, "root": event.root}
    whole = {"type": "checkpoint", **claims, "signature": event.signature}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _write(out: Path, chunks: Iterator[bytes], counted: bytes) -> int:
    """Writes beside the file and renames; returns how many lines end with `counted`."""
    fresh, count, tail = out.with_name(f".{out.name}.part"), 0, b""
    try:
        with fresh.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                seen = tail + chunk
                count += seen.count(counted)
                tail = seen[-(len(counted) - 1) :]
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)
    return count


def _shown(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Says on a terminal how far it is."""
    began = shown = time.monotonic()
    done, is_terminal = 0, sys.stderr.isatty()
    for chunk in chunks:
        done += len(chunk)
        now = time.monotonic()
        if is_terminal and now - shown > SHOWN_EVERY_SECONDS:
            shown = now
            rate = done / max(now - began, 1e-9) / 2**20
            print(f"\r{done >> 20} MiB, {rate:.0f} MiB/s", end="", file=sys.stderr, flush=True)
        yield chunk
    if is_terminal and shown > began:
        print(file=sys.stderr)


def _say(as_json: bool, out: Path, count: int, what: str) -> None:
    if as_json:
        print_json({"file": str(out), what: count})
    else:
        print(f"{out}: {count:,} {what}")
