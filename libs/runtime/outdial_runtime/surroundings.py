"""What all loops, outboxes and requests of a process share."""

from __future__ import annotations

from dataclasses import dataclass

from outdial_runtime.clock import Clock
from outdial_runtime.metrics import Metrics
from outdial_runtime.spans import Spans


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Name, clock, spans and metrics of one process."""

    service: str
    clock: Clock
    spans: Spans
    metrics: Metrics
