"""A set of telephone numbers that fits in memory: 240 million of them in about half a gibibyte.

A number's digits are cut into a prefix (country and area) and the last seven digits; each prefix owns a roaring bitmap
(Chambi, Lemire, Kaser, Godin: Better bitmap performance with Roaring bitmaps, 2016) over 10^7 values. A look-up is a
dictionary access and a bitmap test.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Mapping

from pyroaring import BitMap

LOCAL = 10**7
HEADER = struct.Struct("<QQ")


class DamagedSet(ValueError):
    """Bytes that are no phone set."""


class PhoneSet:
    """Numbers as whole numbers: the digits of E.164 without the plus."""

    def __init__(self, parts: Mapping[int, BitMap] | None = None) -> None:
        self._parts: dict[int, BitMap] = dict(parts or {})

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        part = self._parts.get(number // LOCAL)
        return part is not None and number % LOCAL in part

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PhoneSet) and self._filled() == other._filled()

    __hash__ = None  # type: ignore[assignment]

    def add(self, prefix: int, local: array[int]) -> None:
        """Adds numbers of one prefix: an array of unsigned 32-bit values below 10^7."""
        self._parts.setdefault(prefix, BitMap()).update(BitMap(local))

    def discard(self, prefix: int, local: array[int]) -> None:
        """Takes numbers of one prefix away; what is not there is ignored."""
        part = self._parts.get(prefix)
        if part is not None:
            part.difference_update(BitMap(local))

    def copy(self) -> PhoneSet:
        """A set of its own."""
        return PhoneSet({prefix: BitMap(part) for prefix, part in self._parts.items()})

    def compact(self) -> None:
        """Gives memory back once everything is in."""
        for part in self._parts.values():
            part.run_optimize()
            part.shrink_to_fit()

    def chunks(self) -> Iterable[bytes]:
        """The set as bytes: (prefix, length, bitmap) after another, in the portable roaring format."""
        for prefix, part in sorted(self._filled().items()):
            body = part.serialize()
            yield HEADER.pack(prefix, len(body)) + body

    @classmethod
    def from_bytes(cls, content: memoryview) -> PhoneSet:
        """Reads what `chunks` made. Raises DamagedSet."""
        parts, at = {}, 0
        while at < len(content):
            if at + HEADER.size > len(content):
                raise DamagedSet("it ends within a header")
            prefix, length = HEADER.unpack_from(content, at)
            at += HEADER.size
            if at + length > len(content):
                raise DamagedSet("it ends within a bitmap")
            try:
                parts[prefix] = BitMap.deserialize(bytes(content[at : at + length]))
            except (ValueError, RuntimeError):
                raise DamagedSet("a bitmap can't be read") from None
            at += length
        return cls(parts)

    def _filled(self) -> dict[int, BitMap]:
        return {prefix: part for prefix, part in self._parts.items() if part}
