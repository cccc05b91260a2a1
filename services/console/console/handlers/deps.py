"""What every handler of the console is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.config import Config
from console.ports import Calls, Floor, Gate


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Given to every handler."""

    config: Config
    gate: Gate
    calls: Calls
    floor: Floor = field(default_factory=Floor)
