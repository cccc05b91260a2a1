"""Requests: a handler returns an Outcome and a reply, and the reply leaves after the outcome was produced."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from opentelemetry.trace import SpanKind

from outdial_runtime.broker import Producer
from outdial_runtime.clock import Chance
from outdial_runtime.logs import where
from outdial_runtime.outcome import DeadLetter, Publish, RetryLater
from outdial_runtime.records import Stamp
from outdial_runtime.service import Answer, GrpcMethod, HttpReply, HttpRoute, Request, SocketRoute
from outdial_runtime.surroundings import Surroundings

PROBLEM = "application/problem+json"
Said = TypeVar("Said", str, bytes)
log = logging.getLogger(__name__)


class NotReady(Exception):
    """The service has not caught up yet and answers nothing."""


@dataclass(frozen=True, kw_only=True)
class HttpCall:
    """An HTTP request as the server took it."""

    body: bytes = b""
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""


class Requests:
    """Answers gRPC calls and HTTP requests, whatever server brought them."""

    def __init__(
        self, around: Surroundings, chance: Chance, producer: Producer, deps: Any, open_for_work: Callable[[], bool]
    ) -> None:
        self._around = around
        self._chance = chance
        self._producer = producer
        self._deps = deps
        self._open_for_work = open_for_work

    async def grpc(self, method: GrpcMethod, message: Any, metadata: Mapping[str, str]) -> Any:
        """The reply message.

        Raises:
            NotReady: before the service caught up; the server answers UNAVAILABLE.
            Exception: what the handler raised; the server answers INTERNAL.
        """
        name = f"{method.service}.{method.method}"
        attempt = getattr(message, method.attempt_field, None) if method.attempt_field else None
        request = Request(message=message, now=self._now, cause=self._chance.token(), headers=dict(metadata))
        with self._observed(name, metadata.get("traceparent"), attempt or None) as finish:
            answer = await self._answer(name, method.handler, request)
            finish("OK")
            return answer.reply

    async def http(self, route: HttpRoute, call: HttpCall) -> HttpReply:
        """The reply; a handler that raises becomes a 500 problem that says nothing of the request."""
        name = f"{route.method} {route.path}"
        key = call.headers.get("idempotency-key")
        request = Request(
            message=call.body,
            now=self._now,
            cause=f"{name}:{key}" if key else self._chance.token(),
            path=dict(call.path),
            query=dict(call.query),
            headers=dict(call.headers),
        )
        attempt = call.path.get("attempt_id")
        try:
            with self._observed(name, call.headers.get("traceparent"), attempt) as finish:
                reply: HttpReply = (await self._answer(name, route.handler, request)).reply
                finish(str(reply.status))
                if isinstance(reply.body, AsyncIterator):
                    return replace(reply, body=self._told(name, reply.body))
                return reply
        except NotReady:
            return problem(503, "Service Unavailable", "the service is not ready yet")
        except Exception:
            return problem(500, "Internal Server Error", "the request failed; the service's log says where")

    def socket(self, route: SocketRoute, call: HttpCall) -> AsyncIterator[str]:
        """What to say, from now until the caller closes it. The span is the handshake's: a socket may last a day.

        Raises:
            NotReady: before the service caught up.
        """
        name = f"SOCKET {route.path}"
        with self._observed(name, call.headers.get("traceparent"), call.path.get("attempt_id")) as finish:
            if not self._open_for_work():
                raise NotReady(name)
            request = Request(
                message=b"",
                now=self._now,
                cause=self._chance.token(),
                path=dict(call.path),
                query=dict(call.query),
                headers=dict(call.headers),
            )
            words = route.handler(request, self._deps)
            finish("101")
        return self._told(name, words)

    async def _told(self, name: str, words: AsyncIterator[Said]) -> AsyncIterator[Said]:
        """A handler that fails after the handshake, or within a body, counts as a failed request too."""
        try:
            async with aclosing(cast(Any, words)):
                async for said in words:
                    yield said
        except Exception as error:
            log.error("request failed", extra={"request": name, "error": where(error)})
            self._around.metrics.requests.labels(name, "ERROR").inc()
            raise

    @property
    def _now(self) -> Any:
        return self._around.clock.now()

    async def _answer(
        self, name: str, handler: Callable[[Request, Any], Awaitable[Answer]], request: Request
    ) -> Answer:
        if not self._open_for_work():
            raise NotReady(name)
        answer = await handler(request, self._deps)
        outcome = answer.outcome
        reason = str(getattr(outcome, "reason", ""))
        self._around.metrics.outcomes.labels(name, type(outcome).__name__, reason).inc()
        if isinstance(outcome, DeadLetter | RetryLater):
            raise TypeError(f"{name}: a request can't answer {type(outcome).__name__}")
        if isinstance(outcome, Publish):
            around = self._around
            stamp = Stamp(service=around.service, cause=request.cause, now=request.now, traces=around.spans)
            first, then = stamp.records(outcome.events), stamp.records(outcome.then)
            await self._producer.produce(first)
            await self._producer.produce(then)
        return answer

    @contextmanager
    def _observed(self, name: str, traceparent: str | None, attempt_id: str | None) -> Iterator[Callable[[str], None]]:
        """Span, counters and the log line of a failure: exception types and places, never their text."""
        metrics, status = self._around.metrics, ["ERROR"]

        def finish(text: str) -> None:
            status[0] = text

        try:
            with (
                metrics.request_seconds.labels(name).time(),
                self._around.spans.incoming(name, SpanKind.SERVER, traceparent, attempt_id, {}),
            ):
                yield finish
        except NotReady:
            status[0] = "NOT_READY"
            raise
        except Exception as error:
            log.error("request failed", extra={"request": name, "error": where(error)})
            raise
        finally:
            metrics.requests.labels(name, status[0]).inc()


def problem(status: int, title: str, detail: str) -> HttpReply:
    """RFC 9457."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return HttpReply(status=status, body=body, content_type=PROBLEM)


def body_of(reply: HttpReply) -> bytes:
    """The reply's body as bytes."""
    if reply.body is None:
        return b""
    if isinstance(reply.body, bytes):
        return reply.body
    return (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
