"""A leads.csv as rows (UTF-8 with or without BOM, header, RFC 4180): every row is either columns or a rejection.

Rows are numbered from 1 without the header; an empty line is no row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lead_router.domain.rows import REQUIRED, Reason, Rejection, is_storable


class BadHeader(ValueError):
    """The file can't be read as leads.csv at all; the text says why, without any value."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the file."""

    number: int
    content: Mapping[str, str] | Rejection


def read_rows(body: bytes) -> Iterator[Row]:
    """The rows of a file.

    Raises:
        BadHeader: before the first row: a required column is absent, or a name stands twice or is not UTF-8.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""))
    header = _header(reader)
    return _rows(reader, header)


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise BadHeader(f"the header is no CSV: {error}") from None
    if not all(map(is_storable, header)):
        raise BadHeader("the header is not UTF-8")
    absent = [name for name in REQUIRED if name not in header]
    if absent:
        raise BadHeader(f"columns {absent} are absent; the first line must name the columns")
    if len(set(header)) < len(header):
        raise BadHeader("a column name stands twice")
    return header


def _rows(reader: Iterator[list[str]], header: list[str]) -> Iterator[Row]:
    number = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            # Only an oversized field ends here; the reader starts afresh with the next line.
            number += 1
            yield Row(number=number, content=Rejection(reason=Reason.TOO_LONG, field="", shape="field over 128 KiB"))
            continue
        if cells is None:
            return
        if not cells:
            continue
        number += 1
        yield Row(number=number, content=_content(cells, header))


def _content(cells: list[str], header: list[str]) -> Mapping[str, str] | Rejection:
    for name, cell in zip(header, cells, strict=False):
        if not is_storable(cell):
            return Rejection(reason=Reason.BAD_ENCODING, field=name, shape=f"{len(cell)} characters, not UTF-8")
    if len(cells) > len(header):
        return Rejection(
            reason=Reason.TOO_MANY_COLUMNS, field="", shape=f"{len(cells)} columns, the header has {len(header)}"
        )
    return dict(zip(header, cells, strict=False))
