"""Whether the process may get work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Health:
    """Readiness: built, caught up, joined, moving, not draining, and what the service itself says."""

    def __init__(self, service_ready: Callable[[Any], str | None]) -> None:
        self._service_ready = service_ready
        self._deps: Any = None
        self._built = False
        self.caught_up: Callable[[], bool] = lambda: False
        """Whether WHOLE topics were read to their ends."""
        self.joined: Callable[[], bool] = lambda: False
        """Whether the group assigned partitions, be it none."""
        self.doubt: Callable[[], str | None] = lambda: None
        """Why a loop may be stuck."""
        self.draining = False

    def built(self, deps: Any) -> None:
        """The adapters are open."""
        self._deps, self._built = deps, True

    def not_ready(self) -> str | None:
        """Why no work should come, or None."""
        if not self._built:
            return "adapters are not open"
        if self.draining:
            return "draining"
        if not self.caught_up():
            return "whole topics are not read to their ends"
        if not self.joined():
            return "no partitions assigned yet"
        if doubt := self.doubt():
            return doubt
        return self._service_ready(self._deps)
