"""A prompt that cannot be played is refused before a campaign needs it."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from media_gateway.rtp.prompt import UnusablePrompt, frames_from_wav

SAFE_HARBOUR = Path(__file__).parents[4] / "examples" / "prompts" / "safe_harbour.wav"


def wav(samples: int, *, rate_hz: int = 8000, channels: int = 1, width_bytes: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width_bytes)
        file.setframerate(rate_hz)
        file.writeframes(b"\x01" * samples * channels * width_bytes)
    return out.getvalue()


def test_the_shipped_safe_harbour_message_is_playable_and_at_most_seven_seconds() -> None:
    frames = frames_from_wav(SAFE_HARBOUR.read_bytes())
    assert 2.0 <= len(frames) * 0.02 <= 7.0
    assert np.abs(np.concatenate(frames)).max() > 5_000


def test_the_last_frame_is_padded_with_silence() -> None:
    first, last = frames_from_wav(wav(200))
    assert first.all()
    assert int(np.count_nonzero(last)) == 40
    assert len(last) == 160


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (wav(200, rate_hz=16_000), "16000 Hz, 1 channels, 16 bits"),
        (wav(200, channels=2), "8000 Hz, 2 channels"),
        (wav(200, width_bytes=1), "8 bits"),
        (wav(0), "no audio"),
        (b"", "not a readable WAV"),
        (b"RIFF1234WAVE", "not a readable WAV"),
        (wav(200)[:30], "not a readable WAV"),
        (b"\xff" * 400, "not a readable WAV"),
    ],
)
def test_another_format_is_refused_and_named(data: bytes, said: str) -> None:
    with pytest.raises(UnusablePrompt, match=said):
        frames_from_wav(data)
