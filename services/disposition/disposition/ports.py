"""What the handlers need: a store of records, the gate for an opt-out, and the watch on gateways."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from disposition.domain.record import AttemptRecord
from disposition.domain.watch import GatewayWatch
from outdial_contracts.events import CallDisposition
from outdial_runtime.clock import Clock


class Unit(Protocol):
    """One database transaction on one attempt."""

    record: AttemptRecord | None

    async def save(self, record: AttemptRecord) -> None: ...
    async def say(self, event: CallDisposition, cause: str) -> None:
        """Into the outbox, for what no consumed message caused."""


class Store(Protocol):
    """Attempts."""

    def attempt(self, attempt_id: str) -> AbstractAsyncContextManager[Unit]:
        """Locks the attempt's row, made when it is new; commits at the end of the block."""

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Attempts whose deadline passed, oldest first."""

    async def unsaid(self, limit: int) -> list[AttemptRecord]:
        """Open attempts without a disposition."""

    async def get(self, attempt_id: str) -> AttemptRecord | None: ...


class Suppressor(Protocol):
    """compliance-gate."""

    async def suppress(self, record: AttemptRecord, requested_at: datetime) -> None:
        """An agent recorded an opt-out; returns once the gate holds it. Raises GateAway."""


class GateAway(Exception):
    """The gate did not answer; the message is tried again later."""


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Given to every handler."""

    clock: Clock
    store: Store
    gate: Suppressor
    watch: GatewayWatch
