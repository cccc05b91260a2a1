"""A million ledger records verified offline: records/s and peak memory, beside reading and hashing the same lines."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc.jwk import KeySet, OKPKey

from compliance_gate.domain import jose
from compliance_gate.domain.ledger import (
    GENESIS_PREVIOUS,
    Chain,
    Checkpoint,
    Entry,
    ExportWriter,
    Frontier,
    Record,
    RecordKind,
    checkpoint_claims,
    link,
)
from compliance_gate.domain.verification import Verifier, outline

RECORDS = 1_000_000
BOOTS = 5
RECORDS_PER_CHECKPOINT = 1000
"""5 seconds at 200 records/s."""
SHOWN_EVERY = 50_000
START = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class LedgerResult:
    """One run; rates are medians of three readings of one file, memory is the peak of a process of its own in MiB."""

    records: int
    checkpoints: int
    chains: int
    file_mib: float
    made_seconds: float
    verified_per_second: int
    verified_peak_mib: float
    baseline_per_second: int
    """json.loads and SHA-256 of every line, nothing compared."""
    baseline_peak_mib: float
    tampered_named: str
    """The record named after one byte of the last chain was changed."""


@dataclass(frozen=True, kw_only=True)
class _Reading:
    records: int
    seconds: float
    peak_mib: float
    problems: tuple[str, ...] = ()
    checkpoints: int = 0
    chains: int = 0


def run(say: Callable[[str], None], records: int = RECORDS) -> LedgerResult:
    """Makes an export of real chains, checkpoints and signatures, then reads it in processes of their own."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        export, began = Path(name) / "export.jsonl", time.perf_counter()
        keys = make(export, records, say)
        made = time.perf_counter() - began
        rounds = [(_alone(context, _verify, export, keys), _alone(context, _baseline, export, keys)) for _ in range(3)]
        checked, read = (sorted(side, key=lambda r: r.seconds)[1] for side in zip(*rounds, strict=True))
        size = export.stat().st_size
        named = _tampered(context, export, keys)
    if checked.problems or checked.records != read.records - checked.checkpoints - 1:
        raise ValueError(f"the export does not hold: {checked.problems[:3]}")
    return LedgerResult(
        records=checked.records,
        checkpoints=checked.checkpoints,
        chains=checked.chains,
        file_mib=round(size / (1 << 20)),
        made_seconds=round(made, 1),
        verified_per_second=round(checked.records / checked.seconds),
        verified_peak_mib=round(checked.peak_mib),
        baseline_per_second=round(read.records / read.seconds),
        baseline_peak_mib=round(read.peak_mib),
        tampered_named=named,
    )


def make(export: Path, records: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Writes an export as the gate would and returns the public keys."""
    key = OKPKey.generate_key("Ed25519", {"kid": "bench"})
    writer, each = ExportWriter(), records // (BOOTS * len(Chain))
    with export.open("wb") as out:
        before: dict[Chain, Record] = {}
        for boot in range(BOOTS):
            for chain in Chain:
                for page in _chain(f"boot-{boot}.{chain.value}", chain, each, before, key):
                    out.write(writer.lines(page))
            say(f"ledger: {(boot + 1) * each * len(Chain):,} records made")
        out.write(writer.manifest(lambda claims: jose.sign(claims, key), START.isoformat()))
    return {"keys": [jose.public_part(key)]}


def _chain(
    chain_id: str, chain: Chain, length: int, before: dict[Chain, Record], key: OKPKey
) -> Iterator[list[Record | Checkpoint]]:
    """One boot's chain, page by page, each page with its checkpoint."""
    frontier, page, head = Frontier(), list[Record | Checkpoint](), GENESIS_PREVIOUS
    for seq in range(1, length + 1):
        entry = _entry(chain, seq) if seq > 1 else _genesis(before.get(chain))
        record = link(chain_id, seq, head, entry)
        frontier.add(record.hash)
        page.append(record)
        head, before[chain] = record.hash, record
        if seq % RECORDS_PER_CHECKPOINT == 0 or seq == length:
            claims = checkpoint_claims(chain_id, seq, head, frontier.root())
            page.append(Checkpoint(**claims, signature=jose.sign(claims, key)))
            yield page
            page = []


def _genesis(last: Record | None) -> Entry:
    predecessor = {"chain_id": last.chain_id, "seq": last.seq, "head": last.hash} if last else None
    return Entry(kind=RecordKind.GENESIS, body={"clock_shifted": False, "predecessor": predecessor})


def _entry(chain: Chain, seq: int) -> Entry:
    """A decision or a redemption of the size they have."""
    at = (START + timedelta(milliseconds=5 * seq)).isoformat()
    attempt = f"{seq:08x}-0000-5000-8000-{seq:012x}"
    if chain is Chain.REDEMPTIONS:
        asked = {
            "gateway_id": "gw-1",
            "boot_id": f"{seq % 7:032x}",
            "nonce_sha256": hashlib.sha256(at.encode()).hexdigest(),
        }
        told = {"leg_no": 1, "mode": "LIVE_AUTODIALED", "caller_id": "+12125550101", "route_id": "carrier-a"}
        body = {"attempt_id": attempt, **asked, **told, "reasons": [], "rule_ids": [], "at": at}
        return Entry(kind=RecordKind.REDEMPTION, body=body)
    tokens = {"person_token": f"1:{seq:043x}", "callee_token": f"1:{seq + 1:043x}"}
    versions = {"rule_pack": "us-federal-2026-11+us-states-2026-11+house-2026-11", "tzdata": "2026.2"}
    lists = {name: START.isoformat() for name in ("US-NDNC", "US-NY", "US-WIRELESS")}
    said = {"decision": "cleared", "allowed_modes": ["LIVE_AUTODIALED"], "reasons": [], "rule_ids": []}
    offer = {"campaign": "spring-renewal/1", "seller_id": "S1", "purpose": "MARKETING", "modes": ["LIVE_AUTODIALED"]}
    times = {"cause": f"lead.ready:{attempt}", "at": at, "expires_at": at}
    body = {"attempt_id": attempt, **tokens, **offer, **said, "consent_ids": [f"c{seq}"], **versions, "lists": lists}
    return Entry(kind=RecordKind.DECISION, body={**body, **times})


def _alone(context: Any, work: Callable[[Path, dict[str, Any]], _Reading], export: Path, keys: dict[str, Any]) -> Any:
    with context.Pool(1) as pool:
        return pool.apply(work, (export, keys))


def _lines(export: Path) -> Iterator[bytes]:
    with export.open("rb") as file:
        yield from file


def _verify(export: Path, keys: Any) -> _Reading:
    """As `compliance-gate ledger verify` does, both readings of the file counted."""
    began, known = time.perf_counter(), KeySet.import_key_set(keys)
    verifier = Verifier(
        check=lambda token: jose.verify(token, known),
        outline=outline(_lines(export), lambda token: jose.verify(token, known)),
    )
    for number, line in enumerate(_lines(export), start=1):
        verifier.feed(line)
        if number % SHOWN_EVERY == 0:
            rate = verifier.records / (time.perf_counter() - began)
            print(f"\rledger: {verifier.records:,} records, {rate:,.0f}/s", end="", file=sys.stderr, flush=True)
    verifier.finish()
    print(file=sys.stderr)
    return _Reading(
        records=verifier.records,
        seconds=time.perf_counter() - began,
        peak_mib=_peak_mib(),
        problems=tuple(problem.where for problem in verifier.problems),
        checkpoints=verifier.checkpoints,
        chains=verifier.chains,
    )


def _baseline(export: Path, keys: dict[str, Any]) -> _Reading:
    began, records, digest = time.perf_counter(), 0, ""
    for line in _lines(export):
        json.loads(line)
        digest = hashlib.sha256(line).hexdigest()
        records += 1
    return _Reading(records=records, seconds=time.perf_counter() - began, peak_mib=_peak_mib(), problems=(digest,))


def _tampered(context: Any, export: Path, keys: dict[str, Any]) -> str:
    """Changes one byte 100 KiB before the end and names what the verifier found."""
    with export.open("r+b") as file:
        file.seek(-102_400, 2)
        file.readline()
        line = file.readline()
        file.seek(-len(line) // 2, 1)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    found: _Reading = _alone(context, _verify, export, keys)
    return found.problems[0] if found.problems else "NOT FOUND"


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(found: LedgerResult) -> str:
    """Markdown for RESULTS.md."""
    rows = [f"| {name.replace('_', ' ')} | {value:,} |" if isinstance(value, int | float) else f"| {name} | {value} |"
            for name, value in asdict(found).items()]  # fmt: skip
    return "\n".join(["| figure | value |", "|---|---|", *rows])
