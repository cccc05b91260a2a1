"""What a service states about itself: SUBSCRIPTIONS, TICKS, REQUESTS, an outbox. The runtime does the rest.

A handler is an async function `(message, deps) -> Outcome`: it loads, calls one pure function, and returns. It never
produces, commits or sleeps. `deps` is the service's frozen record of ports, made in its app.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from outdial_contracts.base import Event
from outdial_runtime.clock import Chance, Clock
from outdial_runtime.outcome import NOTHING, Emit, Outcome

if TYPE_CHECKING:
    from outdial_runtime.past import TopicPast  # which is made of this module's types

E = TypeVar("E", bound=Event, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Received(Generic[E]):
    """A consumed event and where it came from."""

    event: E
    cause: str
    """ce_id: stable over redeliveries."""
    time: datetime
    """ce_time, aware UTC."""
    now: datetime
    """Domain time of this handling, aware UTC."""
    topic: str
    """Without a deployment's prefix."""
    partition: int
    offset: int
    raw: bytes
    """The value's bytes as consumed."""


@dataclass(frozen=True, kw_only=True)
class TickInput:
    """A tick that came due."""

    now: datetime
    partition: int | None
    """Owned partition of the tick's topic; None for a tick that is not per partition."""


class Read(Enum):
    """How a topic is read."""

    GROUP = "group"
    """Shared over the service's replicas by a consumer group; offsets committed after the outcome is produced."""
    WHOLE = "whole"
    """Every replica reads every partition from the beginning and is ready only once it caught up."""
    WHOLE_LATEST = "whole_latest"
    """Every replica reads every partition, from now on."""
    PINNED = "pinned"
    """One explicit partition (RunConfig.ordinal), offsets committed."""


@dataclass(frozen=True, kw_only=True)
class Batched:
    """Several polled messages of a topic in one call, for a handler whose cost is the trip and not the message."""

    handler: Callable[[Sequence[Received[Any]], Any], Awaitable[Sequence[Outcome]]]
    """Answers one outcome for each, in their order; runs within the span of none of them."""
    most: int


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One consumed topic."""

    handler: Callable[[Received[Any], Any], Awaitable[Outcome]]
    read: Read = Read.GROUP
    side_by_side: int = 1
    """How many polled messages of different keys are handled at once; for handlers that share nothing but a store."""
    batched: Batched | None = None
    """Takes messages that come together, also of one key, in place of `handler`, which takes one that comes alone."""


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A timer; with `per_partition_of` it is called once for each owned partition of that topic's event."""

    handler: Callable[[TickInput, Any], Awaitable[Outcome]]
    every_seconds: float
    per_partition_of: type[Event] | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A request's outcome and its reply; the reply leaves after the outcome was produced."""

    reply: Any
    """A protobuf message for gRPC; an HttpReply for HTTP."""
    outcome: Outcome = NOTHING


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """JSON or text; a Problem (RFC 9457) when status >= 400."""

    status: int = 200
    body: Any = None
    """JSON-able, or str for text/plain and text/csv (see content_type); None for an empty body. An AsyncIterator of
    bytes is sent as it comes, chunked: one that raises ends the connection before the end, which its client sees."""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside content-type and content-length."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A gRPC call's message or an HTTP request, with the time it was taken up."""

    message: Any
    """The protobuf message, or the HTTP body as bytes."""
    now: datetime
    cause: str
    """Stable when the caller gave an identity (Idempotency-Key), else random."""
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """HTTP headers in lower case, or gRPC metadata."""


@dataclass(frozen=True, kw_only=True)
class GrpcMethod:
    """One rpc method; its span is `{service}.{method}`."""

    service: str
    """For example Clearance (package outdial.rpc)."""
    method: str
    handler: Callable[[Request, Any], Awaitable[Answer]]
    attempt_field: str | None = "attempt_id"
    """Field of the message whose value names the trace."""


@dataclass(frozen=True, kw_only=True)
class HttpRoute:
    """One HTTP endpoint under the service's port."""

    method: str
    path: str
    """Starlette syntax: /v1/agents/{agent_id}/state."""
    handler: Callable[[Request, Any], Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True)
class SocketRoute:
    """One WebSocket endpoint: every text that `handler` yields is one message; what the client says is not heard.

    The handler's generator is closed when the client goes or the service drains. A page of another origin is refused.
    """

    path: str
    """Starlette syntax, as in HttpRoute."""
    handler: Callable[[Request, Any], AsyncIterator[str]]


class Outbox(Protocol):
    """The one way out for what no consumed message causes."""

    def emit(self, *events: Emit) -> None:
        """Hands events over in order; returns at once. Memory-backed: lost by a crash, never reordered or doubled."""

    async def flush(self) -> None:
        """Returns once Kafka acknowledged all that was emitted before."""


class TableOutbox(Protocol):
    """The outbox whose rows are written in the service's own database transaction and relayed in order."""

    async def write(self, connection: Any, events: Sequence[Emit]) -> None:
        """Inserts rows with `connection` (asyncpg, inside a transaction); they leave after its commit, soon."""


class PartitionHooks(Protocol):
    """State that lives with owned partitions (a strategy built on assignment, closed on revocation)."""

    async def on_assigned(self, partitions: frozenset[int], deps: Any) -> None:
        """Called before the first message of newly owned partitions; must rebuild their state."""

    async def on_revoked(self, partitions: frozenset[int], deps: Any) -> None:
        """Called when partitions are no longer ours; must forget their state."""


class Journal(Protocol):
    """A topic that its only writer reads back: append with acknowledged offsets, read one partition from the start."""

    async def append(self, events: Sequence[Event], partition: int) -> list[int]:
        """Produces in order, waits for the acknowledgement, returns the offsets."""

    async def read(self, topic: type[Event], partition: int, from_offset: int = 0) -> list[Received[Any]]:
        """All records from `from_offset` to the end as it stands at the call."""


class Toolkit(Protocol):
    """What the runtime offers to app.py when it builds deps."""

    @property
    def clock(self) -> Clock: ...

    @property
    def chance(self) -> Chance: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def past(self) -> TopicPast:
        """The topics' past, for a service whose database may have been restored."""

    def table_outbox(self, pool: Any) -> TableOutbox:
        """An outbox on an asyncpg pool (table `outbox`, made by the runtime's own migration); the runtime relays it."""

    def live_partitions(self, topic: type[Event]) -> frozenset[int]:
        """Partitions of a GROUP topic owned now."""

    def inject_trace(self, attempt_id: str) -> str:
        """A traceparent within the attempt's trace, child of the current span where that is in the same trace."""

    def child_span(self, name: str, attempt_id: str) -> AbstractAsyncContextManager[None]:
        """A span in the attempt's trace around what the service does itself (SIP, detection, a gRPC call it makes)."""


Build = Callable[[Toolkit], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class Service:
    """A whole service; `build` opens its adapters (as an async context manager) and yields deps."""

    name: str
    build: Build
    subscriptions: Mapping[type[Event], Subscription] = field(default_factory=dict)
    ticks: Sequence[Tick] = ()
    requests: Sequence[GrpcMethod | HttpRoute | SocketRoute] = ()
    hooks: PartitionHooks | None = None
    ready: Callable[[Any], str | None] = field(default=lambda deps: None)
    """Why the service isn't ready, or None; asked by /readyz with deps."""
    drain: Callable[[Any], Awaitable[None]] | None = None
    """Called at SIGTERM before consumers stop: no new work, bounded wait for live work."""
    exactly_once: bool = False
    """Produce and commit in one Kafka transaction per batch."""
