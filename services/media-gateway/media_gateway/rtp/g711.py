"""G.711 mu-law and A-law (ITU-T G.711) through numpy tables: one look-up a sample, both ways.

The encode tables hold the code of every 16-bit sample; the decision thresholds are those of the recommendation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media_gateway.rtp.codec import Codec

FRAME_SAMPLES = 160
FRAME_MS = 20
SAMPLE_RATE_HZ = 8_000

Frame = NDArray[np.int16]

_MULAW_BIAS = 0x84


def decode(codec: Codec, payload: bytes) -> Frame:
    """Returns the linear samples (int16, full scale 32,767) of a payload, one per byte; empty for an empty payload."""
    return _DECODE[codec][np.frombuffer(payload, dtype=np.uint8)]


def encode(codec: Codec, samples: Frame) -> bytes:
    """Returns one byte per int16 sample. Raises ValueError for any other dtype, which would index the wrong code."""
    if samples.dtype != np.int16:
        raise ValueError(f"G.711 encodes int16 samples, not {samples.dtype}")
    return _ENCODE[codec][samples.view(np.uint16)].tobytes()


def transcode(source: Codec, target: Codec, payload: bytes) -> bytes:
    """Returns the payload in the target law; the same bytes when the laws agree."""
    if source is target:
        return payload
    return _TRANSCODE[source, target][np.frombuffer(payload, dtype=np.uint8)].tobytes()


def silence(codec: Codec, samples: int = FRAME_SAMPLES) -> bytes:
    """Returns digital silence: the code of sample value 0."""
    return encode(codec, np.zeros(samples, dtype=np.int16))


def _mulaw_decode_table() -> Frame:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + _MULAW_BIAS) << ((code & 0x70) >> 4)
    return np.where(code & 0x80, _MULAW_BIAS - magnitude, magnitude - _MULAW_BIAS).astype(np.int16)


def _alaw_decode_table() -> Frame:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    mantissa = ((code & 0x0F) << 4) + 8
    magnitude = np.where(segment == 0, mantissa, (mantissa + 0x100) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _mulaw_encode_table() -> NDArray[np.uint8]:
    samples = _every_sample()
    magnitude = np.minimum(np.abs(samples), 32_767 - _MULAW_BIAS) + _MULAW_BIAS
    return (~(_segment_and_mantissa(magnitude) | np.where(samples < 0, 0x80, 0)) & 0xFF).astype(np.uint8)


def _alaw_encode_table() -> NDArray[np.uint8]:
    samples = _every_sample()
    magnitude = np.where(samples < 0, ~samples, samples)
    code = np.where(magnitude < 256, magnitude >> 4, _segment_and_mantissa(np.maximum(magnitude, 256)))
    return (code ^ np.where(samples < 0, 0x55, 0xD5)).astype(np.uint8)


def _every_sample() -> NDArray[np.int32]:
    """All 16-bit samples in the order of their bits read as uint16, which is how `encode` indexes."""
    return np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _segment_and_mantissa(magnitude: NDArray[np.int32]) -> NDArray[np.int32]:
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    return (segment << 4) | ((magnitude >> (segment + 3)) & 0x0F)


_DECODE = {Codec.PCMU: _mulaw_decode_table(), Codec.PCMA: _alaw_decode_table()}
_ENCODE = {Codec.PCMU: _mulaw_encode_table(), Codec.PCMA: _alaw_encode_table()}
_TRANSCODE = {
    (source, target): _ENCODE[target][_DECODE[source].view(np.uint16)]
    for source in Codec
    for target in Codec
    if source is not target
}
