"""The media plane: legs and bridges of the pump, prompts from a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from media_gateway.adapters.rtp_udp import MediaPort, MediaPump
from media_gateway.detection.batch import Batch, Listener
from media_gateway.ports import MediaLeg, NoMediaLeg
from media_gateway.rtp.g711 import Frame
from media_gateway.rtp.port_pool import NoMediaPort
from media_gateway.rtp.prompt import frames_from_wav


class MediaPlane:
    """Implements ports.Media."""

    def __init__(self, pump: MediaPump, prompts_dir: Path) -> None:
        self._pump = pump
        self._prompts = {p.name: frames_from_wav(p.read_bytes()) for p in sorted(prompts_dir.glob("*.wav"))}
        self._batch: Batch[Any] = Batch()
        pump.on_tick = self._batch.judge

    async def open_leg(self) -> MediaLeg:
        """A leg on a drained port. Raises NoMediaLeg."""
        try:
            return await self._pump.open_port()
        except (NoMediaPort, OSError) as error:
            raise NoMediaLeg(str(error)) from None

    def listen(self, leg: MediaLeg, listener: Listener[Any], on_verdict: Callable[[Any], None]) -> None:
        """Judges the leg's frames with those of all other legs, once per 20 ms."""
        leg.on_frame = lambda _, frame: self._batch.submit(listener, frame, on_verdict)

    def bridge(self, one: MediaLeg, other: MediaLeg) -> None:
        """Passes packets both ways."""
        self._pump.bridge(_port(one), _port(other))

    def unbridge(self, leg: MediaLeg) -> None:
        """Ends a bridge; harmless without one."""
        self._pump.unbridge(_port(leg))

    def prompt(self, name: str) -> list[Frame] | None:
        """Frames of a prompt by the last part of its path."""
        return self._prompts.get(Path(name).name)


def _port(leg: MediaLeg) -> MediaPort:
    if not isinstance(leg, MediaPort):
        raise TypeError("this plane bridges its own legs only")
    return leg
