"""The life of one boot of a process: it may end between any two steps, and then nothing of it reaches the world.

Every port of a process asks its `Life` before and after each thing that others can see. A dead process's ports do
nothing and never return, so whatever its code still runs while it is torn down has no effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """Between which two steps a process may die."""

    COMMIT_BEFORE = "before a store commit"
    COMMIT_AFTER = "after a store commit"
    PRODUCE_BEFORE = "before a produce"
    PRODUCE_WITHIN = "within a produce"
    PRODUCE_AFTER = "after a produce"
    OFFSETS_BEFORE = "before an offset commit"
    OFFSETS_AFTER = "after an offset commit"
    REPLY_BEFORE = "before an rpc reply"
    REPLY_AFTER = "after an rpc reply"
    RELAY_BEFORE = "before an outbox delete"
    RELAY_AFTER = "after an outbox delete"


@dataclass(kw_only=True)
class Trap:
    """A planned crash that waits for its step."""

    number: str
    step: Step
    skip: int
    """So many such steps are survived."""

    def springs(self, step: Step) -> bool:
        """Whether the process dies here."""
        if step is not self.step:
            return False
        self.skip -= 1
        return self.skip < 0


class Life:
    """One boot of one process."""

    def __init__(self, service: str, instance: str, boot: int, on_crash: Callable[[Life, str, str], None]) -> None:
        self.service, self.instance, self.boot = service, instance, boot
        self.alive = True
        self.trap: Trap | None = None
        self.stalled_until = 0.0
        """Loop time; a process that was stopped by its machine (SIGSTOP, a long pause) goes on then."""
        self._on_crash = on_crash

    async def step(self, step: Step, *, stalls: bool = True) -> None:
        """Returns if the process lives; never returns otherwise. A step that holds what others need never stalls."""
        if self.alive and self.trap is not None and self.trap.springs(step):
            self.crash(self.trap.number, step.value)
        if not self.alive:
            await never()
        if self.stalled_until and stalls:
            await self.stall()

    @property
    def stalled(self) -> bool:
        """Whether it stands still now."""
        return asyncio.get_running_loop().time() < self.stalled_until

    async def stall(self) -> None:
        """Waits until the machine lets the process go on."""
        if (left := self.stalled_until - asyncio.get_running_loop().time()) > 0.0:
            await asyncio.sleep(left)
        if not self.alive:
            await never()

    def crash(self, number: str, where: str) -> None:
        """Dies now."""
        if self.alive:
            self.alive = False
            self._on_crash(self, number, where)


async def never() -> None:
    """Waits until cancelled."""
    await asyncio.get_running_loop().create_future()
