"""G.711: a wrong table sounds almost right and ruins every detector threshold."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from media_gateway.rtp import g711
from media_gateway.rtp.codec import Codec

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop  # the standard library's independent implementation, gone in Python 3.13


def test_every_code_decodes_as_the_reference_does() -> None:
    assert g711.decode(Codec.PCMU, EVERY_CODE).tobytes() == audioop.ulaw2lin(EVERY_CODE, 2)
    assert g711.decode(Codec.PCMA, EVERY_CODE).tobytes() == audioop.alaw2lin(EVERY_CODE, 2)


def test_every_sample_encodes_as_the_reference_does() -> None:
    assert g711.encode(Codec.PCMA, EVERY_SAMPLE) == audioop.lin2alaw(EVERY_SAMPLE.tobytes(), 2)
    positive = EVERY_SAMPLE[EVERY_SAMPLE >= 0]
    assert g711.encode(Codec.PCMU, positive) == audioop.lin2ulaw(positive.tobytes(), 2)


@pytest.mark.parametrize("codec", list(Codec))
def test_recoding_a_decoded_frame_loses_nothing(codec: Codec) -> None:
    decoded = g711.decode(codec, EVERY_CODE)
    assert np.array_equal(g711.decode(codec, g711.encode(codec, decoded)), decoded)


@pytest.mark.parametrize("codec", list(Codec))
def test_quantising_error_stays_within_half_a_step(codec: Codec) -> None:
    error = np.abs(g711.decode(codec, g711.encode(codec, EVERY_SAMPLE)).astype(np.int32) - EVERY_SAMPLE)
    assert np.all(error <= np.maximum(np.abs(EVERY_SAMPLE.astype(np.int32)) / 24, 16))


def test_silence_is_the_code_of_zero() -> None:
    assert g711.silence(Codec.PCMU) == b"\xff" * 160
    assert g711.silence(Codec.PCMA) == b"\xd5" * 160


def test_transcoding_equals_decode_then_encode() -> None:
    expected = g711.encode(Codec.PCMA, g711.decode(Codec.PCMU, EVERY_CODE))
    assert g711.transcode(Codec.PCMU, Codec.PCMA, EVERY_CODE) == expected
    assert g711.transcode(Codec.PCMU, Codec.PCMU, EVERY_CODE) is EVERY_CODE


def test_float_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="int16"):
        g711.encode(Codec.PCMU, np.zeros(160))  # type: ignore[arg-type]
