"""External suppression lists in their usual file forms, read fast: plain or CSV, gzip or not, whole lists or deltas.

Forms of a line: a number (10 digits of +1, or E.164 with its plus), `area,number` as the FTC's area-code files have it,
or CSV with a header that names a phone column, and for a delta a column that says A(dd) or D(elete).
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 16 << 20
NEWLINE, ZERO, NINE = 10, 48, 57
FILLERS = np.frombuffer(b'\r,-. ()+\t"', dtype=np.uint8)
PHONE_COLUMNS = ("phone", "phone_number", "number", "msisdn", "telephone", "tel")
CHANGE_COLUMNS = ("change", "action", "type", "change_type")
ADDS, TAKES = ("a", "add", "added", "i", "insert"), ("d", "del", "delete", "deleted", "r", "remove")
GZIP_MAGIC = b"\x1f\x8b"
NATIONAL_DIGITS = 10


class BadListFile(ValueError):
    """A file that is no list; the text names the line and the shape that is wanted, never a number."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A piece of a file."""

    added: NDArray[np.uint64]
    taken: NDArray[np.uint64]
    offset: int
    """Bytes of the (unpacked) file that are done."""


def read_numbers(
    path: Path,
    *,
    country_code: str = "1",
    area: str = "",
    offset: int = 0,
) -> Iterator[Numbers]:
    """Reads a list file piece by piece, from `offset` unpacked bytes on.

    Args:
        country_code: of numbers without a plus.
        area: put before every number of a file that is one area's.

    Raises:
        BadListFile: a line is no number.
        OSError: it can't be read or unpacked.
    """
    try:
        with _unpacked(path) as file:
            head = file.read(4096)
            if not head.strip():
                raise BadListFile("line 1: the file is empty")
            with_header = offset == 0 and _has_header(head)
            file.seek(offset)
            yield from _from_csv(file, country_code) if with_header else _from_lines(file, country_code, area, offset)
    except (EOFError, zlib.error):
        raise BadListFile("the gzip file is cut off or damaged") from None


def _unpacked(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return io.BufferedReader(gzip.open(path, "rb")) if packed else path.open("rb")


def _has_header(head: bytes) -> bool:
    first = head.split(b"\n", 1)[0]
    return any(chr(byte).isalpha() for byte in first)


def _from_lines(file: IO[bytes], country_code: str, area: str, offset: int) -> Iterator[Numbers]:
    rest, line, none = b"", 1, np.empty(0, np.uint64)
    while chunk := file.read(CHUNK_BYTES):
        whole, _, rest_after = (rest + chunk).rpartition(b"\n")
        if not whole:
            rest += chunk
            continue
        offset += len(whole) + 1
        numbers, lines = _parse(whole, country_code, area, line)
        rest, line = rest_after, line + lines
        yield Numbers(added=numbers, taken=none, offset=offset)
    if rest.strip():
        numbers, _ = _parse(rest, country_code, area, line)
        yield Numbers(added=numbers, taken=none, offset=offset + len(rest))


def _parse(block: bytes, country_code: str, area: str, first_line: int) -> tuple[NDArray[np.uint64], int]:
    """All numbers of whole lines, without a Python loop."""
    text = np.frombuffer(block + b"\n", dtype=np.uint8)
    is_digit = (text >= ZERO) & (text <= NINE)
    ends = np.flatnonzero(text == NEWLINE)
    strange = ~is_digit & (text != NEWLINE) & ~np.isin(text, FILLERS)
    if strange.any():
        raise _bad(first_line + int(np.searchsorted(ends, np.flatnonzero(strange)[0])))
    before = np.concatenate(([0], np.cumsum(is_digit)[ends]))
    lengths = np.diff(before)
    digits = (text[is_digit] - ZERO).astype(np.uint64)
    plus = np.zeros(len(ends), bool)
    plus[np.searchsorted(ends, np.flatnonzero(text == ord("+")))] = True
    numbers = np.zeros(len(ends), np.uint64)
    for length in np.unique(lengths):
        if length == 0:
            continue  # an empty line
        rows = np.flatnonzero(lengths == length)
        powers = np.uint64(10) ** np.arange(int(length) - 1, -1, -1, dtype=np.uint64)
        numbers[rows] = digits[before[rows][:, None] + np.arange(int(length))] @ powers
    return _completed(numbers, lengths, plus, country_code, area, first_line), len(ends)


def _completed(
    numbers: NDArray[np.uint64],
    lengths: NDArray[np.int64],
    plus: NDArray[np.bool_],
    country_code: str,
    area: str,
    first_line: int,
) -> NDArray[np.uint64]:
    """Country and area put before what lacks them; what then is no number is an error."""
    wanted = NATIONAL_DIGITS - len(area)
    national = ~plus & (lengths == wanted)
    whole = plus | (~plus & (country_code == "1") & (lengths == NATIONAL_DIGITS + 1) & (numbers // 10**10 == 1))
    if country_code != "1":
        national = ~plus & (lengths > 0)
    bad = (lengths > 0) & ~national & ~whole | plus & ((lengths < 8) | (lengths > 15))
    if bad.any():
        raise _bad(first_line + int(np.flatnonzero(bad)[0]))
    front = np.uint64(int(country_code + area)) * np.uint64(10) ** lengths.astype(np.uint64)
    return np.where(national, numbers + front, numbers)[lengths > 0]


def _text_lines(file: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise BadListFile(f"line {number}: want UTF-8") from None


def _bad(line: int) -> BadListFile:
    return BadListFile(f"line {line}: want a number of {NATIONAL_DIGITS} digits, area,number, or + and 8 to 15 digits")


def _from_csv(file: IO[bytes], country_code: str) -> Iterator[Numbers]:
    """A CSV with a header, row by row: slower, for what is not just numbers."""
    reader = csv.DictReader(_text_lines(file))
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    phone = next((names[n] for n in PHONE_COLUMNS if n in names), None)
    change = next((names[n] for n in CHANGE_COLUMNS if n in names), None)
    if phone is None:
        raise BadListFile(f"line 1: want a column named one of {', '.join(PHONE_COLUMNS)}")
    added: list[int] = []
    taken: list[int] = []
    for row in reader:
        word = (row.get(change) or "").strip().lower() if change is not None else ADDS[0]
        if word not in (*ADDS, *TAKES):
            raise BadListFile(f"line {reader.line_num}: {change}: want A or D")
        number, _ = _parse((row.get(phone) or "").encode(), country_code, "", reader.line_num)
        (added if word in ADDS else taken).extend(int(n) for n in number)
    yield Numbers(added=np.array(added, np.uint64), taken=np.array(taken, np.uint64), offset=0)
