"""The codecs we speak, by their static RTP payload types (RFC 3551, table 4)."""

from __future__ import annotations

from enum import IntEnum


class Codec(IntEnum):
    """The value is the static payload type."""

    PCMU = 0
    PCMA = 8
