"""Fail closed: what a message, a tick or a request becomes while the store does not answer or can't hold it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from compliance_gate.handlers.http import problem
from compliance_gate.ports import Deps, StoreTorn, StoreUnavailable, Unstorable
from outdial_runtime.outcome import DeadLetter, Outcome, RetryLater
from outdial_runtime.requests import NotReady
from outdial_runtime.service import Answer, Received, Request, TickInput

Input = TypeVar("Input")
OneHandler = Callable[[Received[Any], Deps], Awaitable[Outcome]]
ManyHandler = Callable[[Sequence[Received[Any]], Deps], Awaitable[Sequence[Outcome]]]
RETRY_SECONDS = 0.2


def retried(handler: Callable[[Input, Deps], Awaitable[Outcome]]) -> Callable[[Input, Deps], Awaitable[Outcome]]:
    """A message or tick comes again: nothing of it was committed. One that can never be stored is a dead letter."""

    @wraps(handler)
    async def with_retry(message: Input, deps: Deps) -> Outcome:
        if not deps.guard.verified:
            return RetryLater("RESTORE_CHECK", RETRY_SECONDS)
        try:
            return await handler(message, deps)
        except StoreUnavailable as error:
            deps.guard.torn |= isinstance(error, StoreTorn)
            return RetryLater("STORE_UNAVAILABLE", 1.0)
        except Unstorable:
            return DeadLetter("UNSTORABLE", "a text holds what no text may: NUL")

    return with_retry


def together(batch: ManyHandler, alone: OneHandler) -> ManyHandler:
    """A batch as `alone` would take each: all of it comes again, or what can never be stored is found one by one."""

    @wraps(batch)
    async def with_retry(messages: Sequence[Received[Any]], deps: Deps) -> Sequence[Outcome]:
        if not deps.guard.verified or deps.guard.lock is not None:
            return [await alone(message, deps) for message in messages]
        try:
            return await batch(messages, deps)
        except StoreUnavailable as error:
            deps.guard.torn |= isinstance(error, StoreTorn)
            return [RetryLater("STORE_UNAVAILABLE", 1.0)] * len(messages)
        except Unstorable:
            return [await alone(message, deps) for message in messages]

    return with_retry


def not_ready(handler: Callable[[Request, Deps], Awaitable[Answer]]) -> Callable[[Request, Deps], Awaitable[Answer]]:
    """A gRPC call ends as UNAVAILABLE: transport, not a refusal, so the offer stays as it is."""

    @wraps(handler)
    async def with_status(request: Request, deps: Deps) -> Answer:
        if not deps.guard.verified:
            raise NotReady("RESTORE_CHECK")
        try:
            return await handler(request, deps)
        except StoreUnavailable as error:
            deps.guard.torn |= isinstance(error, StoreTorn)
            raise NotReady("STORE_UNAVAILABLE") from error

    return with_status


def unavailable(handler: Callable[[Request, Deps], Awaitable[Answer]]) -> Callable[[Request, Deps], Awaitable[Answer]]:
    """An HTTP request is answered 503."""

    @wraps(handler)
    async def with_problem(request: Request, deps: Deps) -> Answer:
        if not deps.guard.verified:
            return problem(503, "RESTORE_CHECK", "the gate reads the topics back; ask again in a moment")
        try:
            return await handler(request, deps)
        except StoreUnavailable as error:
            deps.guard.torn |= isinstance(error, StoreTorn)
            return problem(503, "STORE_UNAVAILABLE", "the gate's database does not answer; nothing was decided")
        except Unstorable:
            return problem(422, "UNSTORABLE", "a text of the request holds what no text may: NUL")

    return with_problem


def unless_locked(handler: Callable[[Input, Deps], Awaitable[Outcome]]) -> Callable[[Input, Deps], Awaitable[Outcome]]:
    """While the restore lock holds, offers wait and none lapses: what became of them is still being read back."""

    @wraps(handler)
    async def with_lock(message: Input, deps: Deps) -> Outcome:
        if deps.guard.lock is not None:
            return RetryLater("RESTORE_LOCK", 1.0)
        return await handler(message, deps)

    return with_lock


def rechecked(
    handler: Callable[[TickInput, Deps], Awaitable[Outcome]],
) -> Callable[[TickInput, Deps], Awaitable[Outcome]]:
    """The watch itself: comes again while the store is away, and ends the process when the store went back."""

    @wraps(handler)
    async def with_retry(tick: TickInput, deps: Deps) -> Outcome:
        try:
            return await handler(tick, deps)
        except StoreTorn:
            deps.guard.torn = True
            raise
        except StoreUnavailable:
            return RetryLater("STORE_UNAVAILABLE", 1.0)

    return with_retry
