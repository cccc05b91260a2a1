"""A prompt file's bytes as frames to play: WAV, 8,000 Hz, mono, 16-bit linear."""

from __future__ import annotations

import io
import wave

import numpy as np

from media_gateway.rtp.g711 import FRAME_SAMPLES, SAMPLE_RATE_HZ, Frame


class UnusablePrompt(ValueError):
    """The file is no WAV, or not of the one format we play; the text says what it is instead."""


def frames_from_wav(data: bytes) -> list[Frame]:
    """Returns the audio as int16[160] frames, the last one padded with silence. Raises UnusablePrompt."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") if form[2] == 2 else None
    except (wave.Error, EOFError, ValueError) as error:
        raise UnusablePrompt(f"not a readable WAV file: {error}") from error
    if samples is None or form != (SAMPLE_RATE_HZ, 1, 2):
        rate_hz, channels, width_bytes = form
        raise UnusablePrompt(f"{rate_hz} Hz, {channels} channels, {8 * width_bytes} bits; wanted 8000 Hz, 1, 16")
    if not len(samples):
        raise UnusablePrompt("no audio in it")
    padded = np.zeros(-(-len(samples) // FRAME_SAMPLES) * FRAME_SAMPLES, dtype=np.int16)
    padded[: len(samples)] = samples
    return list(padded.reshape(-1, FRAME_SAMPLES))
