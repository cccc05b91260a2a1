"""call.ended, call.disposition -> windows -> connect-rate.window; GET /v1/windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.domain.facts import ZoneUnknown
from analytics.domain.windows import (
    COUNTED,
    FORGOTTEN_AFTER,
    SIZES_SECONDS,
    Contribution,
    WindowState,
    of_ended,
    out_of_range,
    rates,
    record_of,
)
from analytics.handlers.problems import bad, missing
from analytics.ports import Deps, Share
from outdial_contracts.events import CallDisposition, CallEnded
from outdial_contracts.topics import TOPICS
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, Emit, Outcome, Publish
from outdial_runtime.service import Answer, HttpReply, Received, Request, TickInput

SIZES = dict(zip(("5m", "1h"), SIZES_SECONDS, strict=True))
SHOWN = timedelta(days=2)
MOST_WINDOWS = 10_000
"""In one answer."""
ISSUED_AT_ONCE = 500
LAG_METRIC = """# HELP outdial_window_lag_seconds Domain time since the oldest change of a window that is not issued yet
# TYPE outdial_window_lag_seconds gauge
outdial_window_lag_seconds """


async def on_call_ended(message: Received[CallEnded], deps: Deps) -> Outcome:
    """Counts provisionally until the disposition comes, which may wait a minute for the agent's wrap-up."""
    try:
        contribution = of_ended(message.event)
    except ZoneUnknown as error:
        return DeadLetter("ZONE_UNKNOWN", str(error))
    if contribution is None:
        return Drop("NOT_DIALLED")
    return await count(contribution, message.now, deps)


async def count(contribution: Contribution, now: datetime, deps: Deps) -> Outcome:
    """Changes the windows; drops with OUTSIDE_WINDOWS or OLDER_REVISION where it changes none."""
    if out_of_range(contribution.began_at, now):
        return Drop("OUTSIDE_WINDOWS")
    return NOTHING if await deps.windows.put(contribution, now) else Drop("OLDER_REVISION")


async def on_issue_windows(tick: TickInput, deps: Deps) -> Outcome:
    """Publishes what changed since the last tick, as whole states.

    What a tick publishes is acknowledged before the next tick comes: only then it is marked. A crash in between
    issues the same revision again, or a greater one.
    """
    partition = tick.partition or 0
    if published := deps.issuing.pop(partition, ()):
        await deps.windows.mark_issued(published)
    share = Share(index=partition, of=TOPICS[CallDisposition.TOPIC].partitions)
    states = await deps.windows.unissued(share, ISSUED_AT_ONCE)
    deps.issuing[partition] = states
    return Publish([Emit(event=record_of(s), cause=s.window.window_id, revision=s.revision) for s in states])


async def on_forget_windows(tick: TickInput, deps: Deps) -> Outcome:
    """What the topic no longer holds and nothing can change any more."""
    await deps.windows.forget(tick.now - FORGOTTEN_AFTER)
    return NOTHING


async def on_get_windows(request: Request, deps: Deps) -> Answer:
    """GET /v1/windows?campaign_id=&size=5m|1h&since=: windows with numerators, denominators and rates; their lag."""
    campaign_id, size = request.query.get("campaign_id", ""), request.query.get("size", "5m")
    if not campaign_id:
        return missing("campaign_id")
    if size not in SIZES:
        return bad(f"query parameter size has {len(size)} characters; want 5m or 1h")
    try:
        since = _since(request)
    except ValueError:
        return bad("query parameter since is no RFC 3339 time with a zone")
    states = await deps.windows.of_campaign(campaign_id, SIZES[size], since, MOST_WINDOWS)
    body = {
        "campaign_id": campaign_id,
        "size": size,
        "since": since.isoformat(),
        "lag_seconds": await _lag_seconds(request.now, deps),
        "windows": [_point(state) for state in states],
    }
    return Answer(reply=HttpReply(body=body))


async def on_get_windows_metrics(request: Request, deps: Deps) -> Answer:
    """GET /v1/windows/metrics: the lag in Prometheus' text format."""
    text = f"{LAG_METRIC}{await _lag_seconds(request.now, deps)}\n"
    return Answer(reply=HttpReply(body=text, content_type="text/plain"))


def _since(request: Request) -> datetime:
    """Two days ago where nothing is said. Raises ValueError."""
    text = request.query.get("since")
    if text is None:
        return request.now - SHOWN
    since = datetime.fromisoformat(text)
    if since.tzinfo is None:
        raise ValueError("no zone")
    return since.astimezone(UTC)


async def _lag_seconds(now: datetime, deps: Deps) -> float:
    waiting_since = await deps.windows.waiting_since()
    return 0.0 if waiting_since is None else max(round((now - waiting_since).total_seconds(), 3), 0.0)


def _point(state: WindowState) -> dict[str, Any]:
    """One window of a plot."""
    window, counts = state.window, state.counts
    return {
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
        "local_hour": window.local_hour,
        "revision": state.revision,
        **{name: getattr(counts, name) for name in COUNTED},
        **rates(counts),
    }
