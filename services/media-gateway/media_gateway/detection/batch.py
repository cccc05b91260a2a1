"""Judges every channel's newest frame in one transform per tick: an eighth of the cost of one transform each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from media_gateway.detection.spectrum import Ear, Heard, hear_windows

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


class Listener(Protocol[V_co]):
    """What AnswerDetector and EarlyMediaDetector have in common."""

    @property
    def ear(self) -> Ear:
        """The channel's last 80 ms."""

    def feed_heard(self, heard: Heard) -> V_co | None:
        """Takes the next frame as heard; returns a verdict or None."""


class Batch(Generic[V]):
    """Submit a frame per channel, then `judge` once; a channel may be submitted once between two calls."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Listener[V], Callable[[V], None]]] = []

    def submit(self, listener: Listener[V], frame: NDArray[np.int16], on_verdict: Callable[[V], None]) -> None:
        """Takes int16[160]; `on_verdict` is called out of the next `judge` if the frame decides."""
        listener.ear.push(frame)
        self._waiting.append((listener, on_verdict))

    def judge(self) -> None:
        """Judges what was submitted since the last call, in that order; does nothing without any."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        heard = hear_windows(np.stack([listener.ear.window for listener, _ in waiting]))
        for (listener, on_verdict), frame in zip(waiting, heard, strict=True):
            if (verdict := listener.feed_heard(frame)) is not None:
                on_verdict(verdict)
