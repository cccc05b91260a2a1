"""The same windows by faust-streaming: the losing half of a paired measurement (docs/decisions/007-live-windows.md).

Run as `python -m bench.windows_faust`. The pure domain is analytics' own. Words on attempts are sent on to a topic of
its own keyed by campaign, as the two inputs have different keys; there a table holds the latest word on each
attempt, with a changelog in Kafka. The windows are sums in memory, built anew from the table after a recovery and then
all issued again, because a crash may have kept the word and lost the record. One worker; with several, a table in
memory keeps what belongs to partitions that left.
"""

from __future__ import annotations

import os
import zoneinfo
from datetime import UTC, datetime
from typing import Any

import faust
import msgspec

from analytics.domain.windows import (
    Contribution,
    Counts,
    Window,
    WindowState,
    changes,
    next_revision,
    of_disposition,
    of_ended,
    record_of,
)
from outdial_contracts.codec import decode, encode
from outdial_contracts.events import CallDisposition, CallEnded, ConnectRateWindow
from outdial_contracts.headers import EventHeaders, event_id

NAME = "windows-faust"
ISSUE_SECONDS = 1.0


class Sums:
    """Windows as sums of the table, and which of them are not issued."""

    def __init__(self) -> None:
        self.states: dict[Window, WindowState] = {}
        self.unissued: set[Window] = set()

    def take(self, known: Contribution | None, new: Contribution) -> None:
        """Changes the windows."""
        now = datetime.now(UTC)
        for window, counts in changes(known, new).items():
            state = self.states.get(window, WindowState(window=window, revision=0, counts=Counts()))
            revision = next_revision(state.revision, now)
            self.states[window] = WindowState(window=window, revision=revision, counts=state.counts.plus(counts))
            self.unissued.add(window)

    def rebuild(self, table: Any) -> None:
        """After a recovery."""
        self.states, self.unissued = {}, set()
        for value in table.values():
            self.take(None, _contribution(value))


def build(bootstrap: str, prefix: str) -> faust.App:
    """The worker."""
    app = faust.App(
        prefix + NAME,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_partitions=2,
        topic_disable_leader=True,
        processing_guarantee="at_least_once",
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=0.2,
        web_enabled=False,
    )
    raw: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    said = app.topic(prefix + CallEnded.TOPIC, prefix + CallDisposition.TOPIC, **raw)
    words = app.topic(f"{prefix}{NAME}-words", partitions=2, internal=True, **raw)
    issued = app.topic(prefix + ConnectRateWindow.TOPIC, **raw)
    attempts = app.Table("attempts", default=None, partitions=2, key_type=str, value_type=str)
    sums = Sums()

    @app.agent(said)
    async def on_said(stream: Any) -> None:
        async for event in stream.events():
            decoded = decode(event.value, event.message.topic.removeprefix(prefix))
            assert isinstance(decoded, CallEnded | CallDisposition)
            word = of_ended(decoded) if isinstance(decoded, CallEnded) else of_disposition(decoded)
            if word is not None:
                await words.send(key=word.campaign_id.encode(), value=msgspec.json.encode(word))

    @app.agent(words)
    async def on_word(stream: Any) -> None:
        async for event in stream.events():
            word = _contribution(event.value)
            known = attempts.get(word.attempt_id)
            before = None if known is None else _contribution(known)
            if word.replaces(before):
                attempts[word.attempt_id] = event.value.decode()
                sums.take(before, word)

    @app.timer(interval=ISSUE_SECONDS)  # type: ignore[untyped-decorator]
    async def on_issue() -> None:
        waiting, sums.unissued = sums.unissued, set()
        sent = [await issued.send(**_record(sums.states[window])) for window in waiting]
        for acknowledgement in sent:
            await acknowledgement

    attempts.on_recover(lambda: _recovered(sums, attempts))
    return app


async def _recovered(sums: Sums, table: Any) -> None:
    sums.rebuild(table)


def _record(state: WindowState) -> dict[str, Any]:
    event = record_of(state)
    headers = EventHeaders(
        id=event_id(event.window_id, f"{event.TOPIC}#0", event.revision),
        type=event.TOPIC,
        source=NAME,
        subject=event.slice,
        time=datetime.now(UTC),
    )
    return {"key": event.slice.encode(), "value": encode(event), "headers": dict(headers.to_kafka())}


def _contribution(value: bytes | str) -> Contribution:
    return msgspec.json.decode(value, type=Contribution)


def main() -> None:
    """Runs the worker until SIGTERM."""
    zoneinfo.reset_tzpath(to=[])
    app = build(os.environ["OUTDIAL_KAFKA_BOOTSTRAP"], os.environ["OUTDIAL_TOPIC_PREFIX"])
    faust.Worker(app, loglevel="WARNING", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
