"""What the handlers need: a store of records, the gate for an opt-out, and the watch on gateways."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from disposition.domain.record import AttemptRecord, Wrapup
from disposition.domain.watch import GatewayWatch
from outdial_contracts.events import CallDisposition


class Unit(Protocol):
    """One database transaction on one attempt."""

    record: AttemptRecord | None

    async def save(self, record: AttemptRecord) -> None: ...
    async def say(self, event: CallDisposition, cause: str) -> None:
        """Into the outbox, for what no consumed message caused."""


class Store(Protocol):
    """Attempts."""

    def attempt(self, attempt_id: str) -> AbstractAsyncContextManager[Unit]:
        """Locks the attempt, new or not; commits at the end of the block."""

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Attempts whose deadline passed, oldest first."""

    async def boots(self) -> list[tuple[str | None, str | None]]:
        """(gateway_id, boot_id) of all attempts that wait for their call's end."""

    async def of_boot(self, gateway_id: str, boot_id: str | None, until: datetime, limit: int) -> list[str]:
        """Attempts that have waited there since `until` or longer, oldest first."""

    async def get(self, attempt_id: str) -> AttemptRecord | None: ...


class Suppressor(Protocol):
    """compliance-gate."""

    async def suppress(self, attempt_id: str, wrapup: Wrapup) -> None:
        """An agent recorded an opt-out; returns once the gate holds it. Raises GateAway."""


class GateAway(Exception):
    """The gate did not confirm; it is tried again later."""


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Given to every handler."""

    store: Store
    gate: Suppressor
    watch: GatewayWatch
