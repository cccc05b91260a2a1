"""While the topics are read back, nothing else is handled: messages come again, requests are told so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeVar

from lead_router.handlers.problems import problem
from lead_router.ports import Deps
from outdial_runtime.outcome import Outcome, RetryLater
from outdial_runtime.service import Answer, Request

Input = TypeVar("Input")
RETRY_SECONDS = 0.2


def once_read_back(handler: Callable[[Input, Deps], Awaitable[Outcome]]) -> Callable[[Input, Deps], Awaitable[Outcome]]:
    """A message or tick waits."""

    @wraps(handler)
    async def with_check(message: Input, deps: Deps) -> Outcome:
        if not deps.guard.verified:
            return RetryLater("RESTORE_CHECK", RETRY_SECONDS)
        return await handler(message, deps)

    return with_check


def answered_once_read_back(
    handler: Callable[[Request, Deps], Awaitable[Answer]],
) -> Callable[[Request, Deps], Awaitable[Answer]]:
    """A request that changes something is answered 503."""

    @wraps(handler)
    async def with_check(request: Request, deps: Deps) -> Answer:
        if not deps.guard.verified:
            return problem(503, "Not ready", "the topics are being read back; ask again in a moment")
        return await handler(request, deps)

    return with_check
