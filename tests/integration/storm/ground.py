"""What a storm stands on: the stack, the small disks of broker and database, the carrier's view, deaths of gateways."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from outdial_cli.stack.layout import replica_of
from outdial_cli.stack.stack import Stack
from tests.integration.storm.carrier_tail import CarrierTail
from tests.integration.storm.disk import SmallDisk


@dataclass(kw_only=True)
class Ground:
    """One run's."""

    stack: Stack
    tail: CarrierTail
    disks: Mapping[str, SmallDisk] = field(default_factory=dict)
    """kafka and postgres, where they may run full."""
    gateway_died_at: float = 0.0
    """Unix seconds of the last end of any gateway: calls INVITEd before may have lost their caller."""

    def live_calls(self) -> int:
        """Calls live at the carrier whose gateway lives too."""
        return self.tail.live(self.gateway_died_at)

    def note_end(self, name: str) -> None:
        """A process ended."""
        if replica_of(name)[0] == "media-gateway":
            self.gateway_died_at = time.time()

    def all_ready(self) -> bool:
        """Whether every process of the stack says that it is ready."""
        return all(self.stack.ready(name) for name in (*self.stack.process_names, *self.stack.node_names))
