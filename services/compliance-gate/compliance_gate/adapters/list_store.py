"""Snapshots of external suppression lists in a folder: loaded by a tool, swapped into a running gate at once.

    <folder>/<LIST-ID>/current.json        {as_of, file, numbers, sha256, loaded_at, source}
    <folder>/<LIST-ID>/<sha256>.phones     the snapshot
    <folder>/<LIST-ID>/loading.json        how far an interrupted load came, beside loading.phones

A load writes its snapshot first and replaces current.json last, so a bad file or a crash leaves the old one in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compliance_gate.adapters.list_files import BadListFile, read_numbers
from compliance_gate.domain.facts import ListCopy, ListInForce
from compliance_gate.domain.phone_set import LOCAL, DamagedSet, PhoneSet

CURRENT, LOADING, PARTIAL = "current.json", "loading.json", "loading.phones"
SAVE_EVERY_BYTES = 256 << 20
"""Of a file read, after which an interrupted load need not begin anew."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What current.json says of a list's snapshot in force."""

    as_of: str
    """When the copy was taken, ISO 8601 with zone."""
    file: str
    numbers: int
    sha256: str
    loaded_at: str
    source: str
    """Names of the files it was made from."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a load."""

    path: Path
    area: str = ""
    """Area code, of a file of seven-digit numbers."""
    country_code: str = "1"


@dataclass(frozen=True, kw_only=True)
class Load:
    """A list to be loaded from files."""

    list_id: str
    sources: Sequence[Source]
    as_of: datetime
    delta: bool = False
    """The files change the snapshot in force; else they replace it."""


Progress = Callable[[str, int, int], None]
"""(file name, bytes done, numbers so far)."""


def load(folder: Path, wanted: Load, now: datetime, progress: Progress | None = None) -> Manifest:
    """Builds the snapshot and puts it in force; goes on where an interrupted load of the same files stopped.

    Raises:
        BadListFile: a file is no list, or is older than what is in force; nothing changed.
        OSError: a file can't be read or the folder can't be written.
    """
    home = folder / wanted.list_id
    home.mkdir(parents=True, exist_ok=True)
    before = manifest(home)
    if before is not None and datetime.fromisoformat(before.as_of) > wanted.as_of:
        raise BadListFile(f"{wanted.list_id}: the copy in force is younger than --as-of")
    phones, done = _resumed(home, wanted) or (_start(home, wanted, before), {})
    for source in wanted.sources:
        phones = _read_source(home, wanted, source, phones, done, progress)
    phones.compact()
    made = _write(home, phones, wanted, now)
    for name in (LOADING, PARTIAL):
        (home / name).unlink(missing_ok=True)
    for old in home.glob("*.phones"):
        if old.name != made.file:
            old.unlink()
    return made


def _start(home: Path, wanted: Load, before: Manifest | None) -> PhoneSet:
    if not wanted.delta:
        return PhoneSet()
    if before is None:
        raise BadListFile(f"{wanted.list_id}: a delta needs a whole list to change")
    return _read_snapshot(home, before)


def _read_source(
    home: Path, wanted: Load, source: Source, phones: PhoneSet, done: dict[str, int], progress: Progress | None
) -> PhoneSet:
    name = str(source.path.resolve())
    saved = offset = done.get(name, 0)
    if offset < 0:
        return phones  # all of it was read before the interruption
    pieces = read_numbers(source.path, country_code=source.country_code, area=source.area, offset=offset)
    for piece in pieces:
        put(phones, piece.added)
        take(phones, piece.taken)
        if progress is not None:
            progress(source.path.name, piece.offset, len(phones))
        if piece.offset - saved >= SAVE_EVERY_BYTES:
            saved = done[name] = piece.offset
            _save(home, wanted, phones, done)
    done[name] = -1
    return phones


def put(phones: PhoneSet, numbers: NDArray[np.uint64]) -> None:
    """Adds whole numbers in any order."""
    for prefix, local in _by_prefix(numbers):
        phones.add(prefix, local)


def take(phones: PhoneSet, numbers: NDArray[np.uint64]) -> None:
    """Takes whole numbers away."""
    for prefix, local in _by_prefix(numbers):
        phones.discard(prefix, local)


def _by_prefix(numbers: NDArray[np.uint64]) -> Iterable[tuple[int, array[int]]]:
    if not len(numbers):
        return
    numbers = np.sort(numbers)
    prefixes = numbers // np.uint64(LOCAL)
    starts = np.flatnonzero(np.concatenate(([True], prefixes[1:] != prefixes[:-1])))
    locals_ = (numbers - prefixes * np.uint64(LOCAL)).astype(np.uint32)
    for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
        part = array("I")
        part.frombytes(locals_[start:end].tobytes())
        yield int(prefixes[start]), part


def _resumed(home: Path, wanted: Load) -> tuple[PhoneSet, dict[str, int]] | None:
    """What an interrupted load of the same files left, if it is whole."""
    try:
        state = json.loads((home / LOADING).read_text("utf-8"))
        content = (home / PARTIAL).read_bytes()
    except (OSError, ValueError):
        return None
    if state["load"] != _fingerprint(wanted) or hashlib.sha256(content).hexdigest() != state["sha256"]:
        return None
    return PhoneSet.from_bytes(memoryview(content)), dict(state["done"])


def _save(home: Path, wanted: Load, phones: PhoneSet, done: Mapping[str, int]) -> None:
    digest = _write_phones(home / PARTIAL, phones)
    _replace(home / LOADING, {"load": _fingerprint(wanted), "sha256": digest, "done": dict(done)})


def _fingerprint(wanted: Load) -> list[Any]:
    """Changes with any of the files."""
    files = [
        [str(s.path.resolve()), s.area, s.country_code, s.path.stat().st_size, s.path.stat().st_mtime_ns]
        for s in wanted.sources
    ]
    return [wanted.list_id, wanted.as_of.isoformat(), wanted.delta, files]


def _write(home: Path, phones: PhoneSet, wanted: Load, now: datetime) -> Manifest:
    fresh = home / "new.phones"
    digest = _write_phones(fresh, phones)
    name = f"{digest[:16]}.phones"
    fresh.replace(home / name)
    made = Manifest(
        as_of=wanted.as_of.isoformat(),
        file=name,
        numbers=len(phones),
        sha256=digest,
        loaded_at=now.isoformat(),
        source=", ".join(source.path.name for source in wanted.sources),
    )
    _replace(home / CURRENT, asdict(made))
    return made


def _write_phones(path: Path, phones: PhoneSet) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in phones.chunks():
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def manifest(home: Path) -> Manifest | None:
    """What is in force, None when nothing is. Raises DamagedSet: current.json can't be read."""
    try:
        return Manifest(**json.loads((home / CURRENT).read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise DamagedSet(f"{home.name}: {CURRENT} can't be read") from None


def _read_snapshot(home: Path, current: Manifest) -> PhoneSet:
    content = (home / current.file).read_bytes()
    if hashlib.sha256(content).hexdigest() != current.sha256:
        raise DamagedSet(f"{home.name}: the snapshot is not what {CURRENT} says")
    return PhoneSet.from_bytes(memoryview(content))


@dataclass(frozen=True, kw_only=True)
class _Held:
    manifest: Manifest
    told: ListInForce
    phones: PhoneSet


class SnapshotLists:
    """compliance_gate.ports.Lists on such a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._in_force: dict[str, _Held] = {}

    async def refresh(self) -> Mapping[str, ListInForce]:
        """Reads what changed, in a thread of its own, and swaps it in at once; returns what was swapped.

        Raises:
            DamagedSet: a snapshot is not whole; the one before stays in force.
        """
        return await asyncio.to_thread(self._take_up)

    def _take_up(self) -> dict[str, ListInForce]:
        swapped = {}
        for home in sorted(self._folder.iterdir()) if self._folder is not None and self._folder.is_dir() else ():
            current = manifest(home) if home.is_dir() else None
            known = self._in_force.get(home.name)
            if current is None or (known is not None and known.manifest == current):
                continue
            with contextlib.suppress(FileNotFoundError):  # a younger load has just replaced it: next time
                phones = _read_snapshot(home, current)
                fresh = _Held(manifest=current, told=_told(current), phones=phones)
                self._in_force = {**self._in_force, home.name: fresh}
                swapped[home.name] = fresh.told
        return swapped

    def copies(self, e164: str) -> Mapping[str, ListCopy]:
        """What the copies in force say of a number."""
        return _Copies(int(e164[1:]), self._in_force)

    def in_force(self) -> Mapping[str, ListInForce]:
        """List id -> the copy in force."""
        return {name: one.told for name, one in self._in_force.items()}


class _Copies(Mapping[str, ListCopy]):
    """What each copy says of one number, looked up when asked: a call is subject to few of the lists."""

    def __init__(self, number: int, held: Mapping[str, _Held]) -> None:
        self._number, self._held = number, held

    def __getitem__(self, name: str) -> ListCopy:
        one = self._held[name]
        return ListCopy(as_of=one.told.as_of, listed=self._number in one.phones)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


def _told(current: Manifest) -> ListInForce:
    return ListInForce(
        as_of=datetime.fromisoformat(current.as_of),
        numbers=current.numbers,
        sha256=current.sha256,
        source=current.source,
    )


class ListFolder:
    """compliance_gate.cli.terms.ListTools: the same folder, from the command line."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def load(
        self,
        folder: Path,
        list_id: str,
        sources: Sequence[tuple[Path, str, str]],
        as_of: datetime,
        delta: bool,
        progress: Progress | None,
    ) -> dict[str, Any]:
        files = [Source(path=path, area=area, country_code=code) for path, area, code in sources]
        wanted = Load(list_id=list_id, sources=files, as_of=as_of, delta=delta)
        return asdict(load(folder, wanted, self._now(), progress))

    def show(self, folder: Path) -> dict[str, dict[str, Any]]:
        homes = sorted(folder.iterdir()) if folder.is_dir() else []
        found = {home.name: manifest(home) for home in homes if home.is_dir()}
        return {name: asdict(one) for name, one in found.items() if one is not None}
