"""The services whose HTTP the pages read."""

from __future__ import annotations

from enum import StrEnum


class Source(StrEnum):
    """Who is asked over HTTP for what the pages show."""

    PACER = "pacer"
    GATE = "compliance-gate"
    DISPOSITION = "disposition"
    ANALYTICS = "analytics"
    LEAD_ROUTER = "lead-router"
    TRACES = "traces"

    @property
    def variable(self) -> str:
        """Name of the variable that says where it is."""
        return f"OUTDIAL_{self.name}_URL"
