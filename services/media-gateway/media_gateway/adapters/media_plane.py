"""The media plane: legs and bridges of the pump, prompts from a folder."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from media_gateway.adapters.rtp_udp import MediaPort, MediaPump
from media_gateway.ports import MediaLeg
from media_gateway.rtp.g711 import FRAME_SAMPLES, SAMPLE_RATE_HZ, Frame


class MediaPlane:
    """Implements ports.Media."""

    def __init__(self, pump: MediaPump, prompts_dir: Path) -> None:
        self._pump = pump
        self._prompts = {p.name: _frames(p) for p in sorted(prompts_dir.glob("*.wav"))}

    async def open_leg(self) -> MediaLeg:
        """A leg on a drained port."""
        return await self._pump.open_port()

    def bridge(self, one: MediaLeg, other: MediaLeg) -> None:
        """Passes packets both ways."""
        self._pump.bridge(_port(one), _port(other))

    def unbridge(self, leg: MediaLeg) -> None:
        """Ends a bridge; harmless without one."""
        self._pump.unbridge(_port(leg))

    def prompt(self, name: str) -> list[Frame]:
        """Frames of a prompt by the last part of its path. Raises KeyError."""
        return self._prompts[Path(name).name]


def _port(leg: MediaLeg) -> MediaPort:
    if not isinstance(leg, MediaPort):
        raise TypeError("this plane bridges its own legs only")
    return leg


def _frames(path: Path) -> list[Frame]:
    """A prompt as 20 ms frames, the last one filled with silence. Raises ValueError unless 8 kHz mono 16-bit."""
    with wave.open(str(path), "rb") as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (SAMPLE_RATE_HZ, 1, 2):
            raise ValueError(f"prompt {path.name}: want 8 kHz, mono, 16-bit")
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
    padded = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES))
    return list(padded.reshape(-1, FRAME_SAMPLES))
