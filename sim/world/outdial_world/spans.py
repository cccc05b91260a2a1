"""Spans and metrics that nobody records: the world looks at events, and these were a third of its time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from outdial_runtime.metrics import Metrics
from outdial_runtime.spans import Attributes, Spans, Within


class QuietSpans(Spans):
    """outdial_runtime.spans.Spans without a provider."""

    def __init__(self) -> None:
        """Nothing is opened."""

    @contextmanager
    def incoming(
        self, name: str, kind: SpanKind, traceparent: str | None, attempt_id: str | None, attributes: Attributes
    ) -> Iterator[Span]:
        yield INVALID_SPAN

    def begin(
        self, name: str, kind: SpanKind, traceparent: str | None, attempt_id: str | None, attributes: Attributes
    ) -> Span:
        return INVALID_SPAN

    def within(self, span: Span) -> Within:
        return _Unseen(span)

    def publish(self, topic: str, attempt_id: str | None) -> str | None:
        return None

    def inject(self, attempt_id: str) -> str:
        return f"00-{attempt_id.replace('-', '')}-0000000000000001-01"

    @asynccontextmanager
    async def child_span(self, name: str, attempt_id: str) -> AsyncIterator[None]:
        yield

    def flush(self) -> None:
        """Nothing is kept."""


class _Unseen(Within):
    """A span that is nobody's."""

    def __enter__(self) -> Span:
        return self._span

    def __exit__(self, *error: object) -> None:
        """Nothing to end."""


class QuietMetrics(Metrics):
    """outdial_runtime.metrics.Metrics that counts nothing."""

    def __init__(self) -> None:
        """No registry."""
        nothing: Any = _Nothing()
        self.lag_seconds = self.batch_seconds = self.outcomes = self.retries = self.dead_letters = nothing
        self.commits_rejected = self.outbox_depth = self.requests = self.request_seconds = nothing


class _Nothing:
    """A metric, its child and its timer in one."""

    def labels(self, *values: str) -> _Nothing:
        return self

    def inc(self, amount: float = 1.0) -> None:
        """Not counted."""

    def set(self, value: float) -> None:
        """Not kept."""

    def time(self) -> _Nothing:
        return self

    def __enter__(self) -> None:
        """Begins."""

    def __exit__(self, *error: object) -> None:
        """Ends."""
