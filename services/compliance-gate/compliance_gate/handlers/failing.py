"""Fail closed: what a message, a tick or a request becomes while the store does not answer or can't hold it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeVar

from compliance_gate.handlers.http import problem
from compliance_gate.ports import Deps, StoreUnavailable, Unstorable
from outdial_runtime.outcome import DeadLetter, Outcome, RetryLater
from outdial_runtime.requests import NotReady
from outdial_runtime.service import Answer, Request

Input = TypeVar("Input")


def retried(handler: Callable[[Input, Deps], Awaitable[Outcome]]) -> Callable[[Input, Deps], Awaitable[Outcome]]:
    """A message or tick comes again: nothing of it was committed. One that can never be stored is a dead letter."""

    @wraps(handler)
    async def with_retry(message: Input, deps: Deps) -> Outcome:
        try:
            return await handler(message, deps)
        except StoreUnavailable:
            return RetryLater("STORE_UNAVAILABLE", 1.0)
        except Unstorable:
            return DeadLetter("UNSTORABLE", "a text holds what no text may: NUL")

    return with_retry


def not_ready(handler: Callable[[Request, Deps], Awaitable[Answer]]) -> Callable[[Request, Deps], Awaitable[Answer]]:
    """A gRPC call ends as UNAVAILABLE: transport, not a refusal, so the offer stays as it is."""

    @wraps(handler)
    async def with_status(request: Request, deps: Deps) -> Answer:
        try:
            return await handler(request, deps)
        except StoreUnavailable as error:
            raise NotReady("STORE_UNAVAILABLE") from error

    return with_status


def unavailable(handler: Callable[[Request, Deps], Awaitable[Answer]]) -> Callable[[Request, Deps], Awaitable[Answer]]:
    """An HTTP request is answered 503."""

    @wraps(handler)
    async def with_problem(request: Request, deps: Deps) -> Answer:
        try:
            return await handler(request, deps)
        except StoreUnavailable:
            return problem(503, "STORE_UNAVAILABLE", "the gate's database does not answer; nothing was decided")
        except Unstorable:
            return problem(422, "UNSTORABLE", "a text of the request holds what no text may: NUL")

    return with_problem
