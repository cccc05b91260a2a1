"""All chance of the world comes from one seed, through named streams that know nothing of each other.

A stream is its name: what it draws depends on the seed and on how often it was asked, never on what other streams
did. So a fault that is left out leaves every other draw as it was.
"""

from __future__ import annotations

import hashlib
import random

MASK = (1 << 64) - 1


class Draws:
    """The world's chance."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._bases: dict[str, int] = {}

    def stream(self, name: str) -> random.Random:
        """A generator of its own."""
        return random.Random(self._base(name))

    def at(self, name: str, number: int) -> float:
        """The number-th draw of a stream, uniform in [0, 1); cheap, and in any order."""
        base = self._bases.get(name)
        if base is None:
            base = self._bases[name] = self._base(name)
        return _mixed(base + number * 0x9E3779B97F4A7C15) / 2**64

    def chance(self, name: str) -> StreamChance:
        """outdial_runtime.clock.Chance of one process's boot."""
        return StreamChance(self.stream(name))

    def _base(self, name: str) -> int:
        return int.from_bytes(hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest(), "big")


class StreamChance:
    """outdial_runtime.clock.Chance."""

    def __init__(self, stream: random.Random) -> None:
        self._stream = stream

    def random(self) -> float:
        return self._stream.random()

    def token(self) -> str:
        return f"{self._stream.getrandbits(128):032x}"


def _mixed(value: int) -> int:
    """splitmix64 (Steele, Lea and Flood, 2014)."""
    value &= MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)
