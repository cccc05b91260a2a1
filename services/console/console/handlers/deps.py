"""What every handler of the console is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from console.config import Config
from console.handlers.hub import Hub
from console.ports import Asset, Calls, Floor, Gate, Reports, Sources


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Given to every handler."""

    config: Config
    gate: Gate
    calls: Calls
    sources: Sources
    hub: Hub
    assets: Mapping[str, Asset]
    """Files of the pages by name."""
    reports: Reports
    clock_shift: timedelta = timedelta()
    """Domain time minus real time; spans have real time."""
    floor: Floor = field(default_factory=Floor)
