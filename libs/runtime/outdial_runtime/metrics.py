"""Prometheus metrics of a process; label values are topics, reasons and statuses, never a person."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

MetricName = Literal[
    # Gauge, seconds: real time minus the last handled record's timestamp. Labels: topic.
    "outdial_lag_seconds",
    # Histogram, seconds: one batch from poll to commit. Labels: read.
    "outdial_batch_seconds",
    # Counter: what handlers answered. Labels: topic (or tick/request name), outcome, reason.
    "outdial_outcomes",
    # Counter: RetryLater. Labels: topic, reason.
    "outdial_retries",
    # Counter: messages sent to a dead-letter topic. Labels: topic, reason.
    "outdial_dead_letters",
    # Counter: commits that the broker rejected because the partitions had gone. Labels: read.
    "outdial_commits_rejected",
    # Gauge: events waiting to leave. Labels: kind (memory, table).
    "outdial_outbox_depth",
    # Counter: requests answered. Labels: method, status.
    "outdial_requests",
    # Histogram, seconds: requests. Labels: method.
    "outdial_request_seconds",
]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """One registry per process, so that several services in one test process do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.lag_seconds = self._gauge("outdial_lag_seconds", "Age of the last handled record", "topic")
        self.batch_seconds = self._histogram("outdial_batch_seconds", "Batch from poll to commit", "read")
        self.outcomes = self._counter("outdial_outcomes", "What handlers answered", "topic", "outcome", "reason")
        self.retries = self._counter("outdial_retries", "Messages that come again", "topic", "reason")
        self.dead_letters = self._counter("outdial_dead_letters", "Messages that can't be handled", "topic", "reason")
        self.commits_rejected = self._counter("outdial_commits_rejected", "Commits after partitions had gone", "read")
        self.outbox_depth = self._gauge("outdial_outbox_depth", "Events waiting to leave", "kind")
        self.requests = self._counter("outdial_requests", "Requests answered", "method", "status")
        self.request_seconds = self._histogram("outdial_request_seconds", "Requests", "method")

    def text(self) -> bytes:
        """The registry in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: MetricName, doc: str, *labels: str) -> Counter:
        return Counter(name, doc, labels, registry=self._registry)

    def _gauge(self, name: MetricName, doc: str, *labels: str) -> Gauge:
        return Gauge(name, doc, labels, registry=self._registry)

    def _histogram(self, name: MetricName, doc: str, *labels: str) -> Histogram:
        return Histogram(name, doc, labels, registry=self._registry, buckets=BATCH_SECONDS)
