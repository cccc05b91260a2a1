"""Windows equal a recount of their attempts, whatever order, repeat or revision their events come in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.adapters.memory import MemoryFacts, MemoryWindows
from analytics.app import SUBSCRIPTIONS
from analytics.domain.facts import fact_of
from analytics.domain.windows import (
    Contribution,
    Counts,
    Window,
    changes,
    next_revision,
    of_disposition,
    of_ended,
    rates,
    record_of,
)
from analytics.handlers.windows import on_get_windows, on_get_windows_metrics, on_issue_windows
from analytics.ports import Deps, Share, Windows
from outdial_contracts.codec import decode, encode
from outdial_contracts.events import EndClass, Verdict
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, Publish
from outdial_runtime.service import Received, Request, TickInput

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
ALL = Share(index=0, of=1)
Make = Callable[..., Any]
moments = st.integers(0, 30).map(lambda minutes: NOW + timedelta(minutes=minutes))


@given(st.data())
async def test_windows_equal_a_recount_in_any_order(disposed: Make, ended: Make, data: st.DataObject) -> None:
    words: list[Any] = []
    for number in range(data.draw(st.integers(1, 4))):
        for leg_no in range(data.draw(st.integers(0, 2))):
            words.append(of_ended(ended(number, leg_no=leg_no + 1, invited_at=data.draw(moments))))
        for revision in range(data.draw(st.integers(0, 3))):
            flags = {name: data.draw(st.booleans()) for name in ("charged", "reached", "connected")}
            at = data.draw(moments)
            words.append(of_disposition(disposed(number, revision=revision + 1, redeemed_at=at, **flags)))
    windows, latest = MemoryWindows(), dict[str, Contribution]()
    for word in data.draw(st.permutations(words + words)):
        await windows.put(word, NOW)
    for word in words:
        if word.replaces(latest.get(word.attempt_id)):
            latest[word.attempt_id] = word
    recount: Counter[Any] = Counter()
    for word in latest.values():
        if word.charged:
            for seconds in (300, 3600):
                start = int(word.began_at.timestamp()) // seconds * seconds
                recount += Counter({(seconds, start, word.local_hour, name): int(flag) for name, flag in (
                    ("attempts", True), ("reached", word.reached), ("human_answers", word.human_answer),
                    ("connects", word.connected), ("conversations", word.conversation),
                    ("provisional", word.revision == 0))})  # fmt: skip
    found: Counter[Any] = Counter()
    for window, state in windows.states.items():
        place = (window.seconds, int(window.start.timestamp()), window.local_hour)
        found += Counter({(*place, name): getattr(state.counts, name) for name in Counts.__dataclass_fields__})
    assert found == recount


def test_a_word_that_changes_no_count_makes_no_revision(disposed: Make) -> None:
    first, second = of_disposition(disposed(revision=1)), of_disposition(disposed(revision=2))
    assert changes(first, second) == {}
    assert changes(second, first) == {}
    assert set(changes(None, first).values()) == {Counts(attempts=1, reached=1)}
    assert changes(None, replace(first, charged=False)) == {}


def test_an_attempt_that_moves_leaves_its_old_windows(ended: Make, disposed: Make) -> None:
    before = of_ended(ended(invited_at=NOW + timedelta(minutes=59, seconds=59)))
    after = of_disposition(disposed(redeemed_at=NOW + timedelta(minutes=60)))
    assert before is not None
    found = {(w.seconds, w.start - NOW, w.local_hour): c.attempts for w, c in changes(before, after).items()}
    assert found == {
        (300, timedelta(minutes=55), 10): -1,
        (3600, timedelta(0), 10): -1,
        (300, timedelta(minutes=60), 11): 1,
        (3600, timedelta(minutes=60), 11): 1,
    }


@pytest.mark.parametrize(
    "changed, counts",
    [
        ({}, Counts(attempts=1, provisional=1)),
        ({"alerting_at": NOW}, Counts(attempts=1, reached=1, provisional=1)),
        (
            {"answered_at": NOW, "verdict": Verdict.SCREENER},
            Counts(attempts=1, reached=1, human_answers=1, provisional=1),
        ),
        ({"answered_at": NOW, "verdict": Verdict.MACHINE}, Counts(attempts=1, reached=1, provisional=1)),
        (
            {"answered_at": NOW, "bridged_at": NOW, "end_class": EndClass.CONNECTED},
            Counts(attempts=1, reached=1, human_answers=1, connects=1, conversations=1, provisional=1),
        ),
        (
            {"answered_at": NOW, "bridged_at": NOW + timedelta(seconds=10.001), "end_class": EndClass.CONNECTED},
            Counts(attempts=1, reached=1, human_answers=1, connects=1, provisional=1),
        ),
    ],
)
def test_a_call_end_counts_as_its_disposition_will(ended: Make, changed: dict[str, Any], counts: Counts) -> None:
    contribution = of_ended(ended(**changed))
    assert contribution is not None
    assert contribution.counts == counts


def test_a_call_that_never_left_counts_nowhere(ended: Make) -> None:
    assert of_ended(ended(dialled=False)) is None


def test_revisions_grow_even_when_the_clock_does_not_and_after_a_rebuild() -> None:
    first = next_revision(0, NOW)
    assert next_revision(first, NOW) == first + 1
    assert next_revision(first + 5, NOW - timedelta(days=1)) == first + 6
    assert next_revision(0, NOW + timedelta(seconds=1)) > first + 6


def test_a_rate_over_nothing_is_none() -> None:
    assert rates(Counts(attempts=3, reached=2, human_answers=1)) == {
        "reach_rate": 0.6667,
        "answer_rate": 0.3333,
        "connect_rate": 0.0,
        "conversation_rate": None,
    }


async def test_a_published_window_says_where_it_stands(windows: Windows, disposed: Make) -> None:
    await windows.put(of_disposition(disposed(zone=None)), NOW)
    short, hour = sorted(map(record_of, await windows.unissued(ALL, 9)), key=lambda record: record.window_seconds)
    assert (short.slice, short.window_id) == ("c1/unknown", "c1/unknown/300/2026-11-17T15:00:00Z")
    assert (short.window_start, short.window_end, short.local_hour) == (NOW, NOW + timedelta(minutes=5), None)
    assert (hour.window_end - hour.window_start, hour.attempts, hour.reached) == (timedelta(hours=1), 1, 1)
    assert decode(encode(short), short.TOPIC) == short


async def test_a_tick_issues_what_changed_and_again_what_was_never_acknowledged(
    windows: Windows, disposed: Make
) -> None:
    deps = Deps(facts=MemoryFacts(), windows=windows)
    await windows.put(of_disposition(disposed(1)), NOW)
    first = await issue(deps)
    assert len(first) == 2
    crashed = Deps(facts=MemoryFacts(), windows=windows)
    assert await issue(crashed) == first
    await windows.put(of_disposition(disposed(2)), NOW)
    second = await issue(crashed)
    assert [(e.event.attempts, e.cause) for e in second] == [(2, e.cause) for e in first]
    assert all(after.revision > before.revision for after, before in zip(second, first, strict=True))
    assert await issue(crashed) == []
    assert await windows.waiting_since() is None


async def test_words_that_come_at_once_count_once(windows: Windows, disposed: Make, ended: Make) -> None:
    words = [of_ended(ended(number, invited_at=NOW + timedelta(minutes=number))) for number in range(5)]
    words += [of_disposition(disposed(number, revision=revision)) for number in range(5) for revision in (1, 2, 3)]
    kept = await asyncio.gather(*(windows.put(word, NOW) for word in words * 2 if word is not None))
    assert 5 <= sum(kept) <= len(words)
    found = {s.window.start: s.counts for s in await windows.of_campaign("c1", 300, NOW, 9)}
    assert found == {NOW: Counts(attempts=5, reached=5)}
    assert {s.counts for s in await windows.of_campaign("c1", 3600, NOW, 9)} == {Counts(attempts=5, reached=5)}


async def test_each_window_is_issued_by_one_partitions_owner(windows: Windows, disposed: Make) -> None:
    for number in range(8):
        await windows.put(of_disposition(disposed(number, campaign_id=f"c{number}")), NOW)
    shares = [await windows.unissued(Share(index=index, of=2), 99) for index in range(2)]
    assert all(shares)
    ids = [[state.window.window_id for state in share] for share in shares]
    assert sorted(ids[0] + ids[1]) == sorted(s.window.window_id for s in await windows.unissued(ALL, 99))
    assert {name.split("/")[0] for name in ids[0]}.isdisjoint(name.split("/")[0] for name in ids[1])


async def test_a_change_during_the_issue_is_issued_next(windows: Windows, disposed: Make) -> None:
    await windows.put(of_disposition(disposed(1)), NOW)
    said = await windows.unissued(ALL, 9)
    await windows.put(of_disposition(disposed(2)), NOW + timedelta(seconds=3))
    await windows.mark_issued(said)
    assert [state.counts.attempts for state in await windows.unissued(ALL, 9)] == [2, 2]


async def test_the_store_forgets_what_is_old_and_keeps_the_rest(windows: Windows, disposed: Make) -> None:
    old = NOW - timedelta(days=200)
    for number, at in enumerate((old, NOW)):
        await windows.put(of_disposition(disposed(number, redeemed_at=at)), NOW)
    await windows.forget(NOW - timedelta(days=91))
    assert [s.window.start for s in await windows.of_campaign("c1", 300, old - timedelta(days=1), 9)] == [NOW]
    assert not await windows.put(of_disposition(disposed(1, redeemed_at=NOW)), NOW)


async def test_the_newest_windows_come_in_order(windows: Windows, disposed: Make) -> None:
    zones = ("America/New_York", None, "America/Los_Angeles")
    for number in range(9):
        at = NOW + timedelta(minutes=5 * (number // 3))
        await windows.put(of_disposition(disposed(number, zone=zones[number % 3], redeemed_at=at)), NOW)
    found = await windows.of_campaign("c1", 300, NOW, 5)
    places = [((s.window.start - NOW) // timedelta(minutes=5), s.window.local_hour) for s in found]
    assert places == [(1, 10), (1, None), (2, 7), (2, 10), (2, None)]
    assert await windows.of_campaign("c1", 300, NOW + timedelta(hours=1), 5) == []


@pytest.mark.parametrize("days, outcome", [(-91, "OUTSIDE_WINDOWS"), (2, "OUTSIDE_WINDOWS"), (-89, None), (0.9, None)])
async def test_beyond_retention_the_fact_is_kept_and_no_window(
    disposed: Make, ended: Make, days: float, outcome: str | None
) -> None:
    deps = Deps(facts=MemoryFacts(), windows=MemoryWindows())
    at = NOW + timedelta(days=days)
    expected = NOTHING if outcome is None else Drop(outcome)
    assert await handle(ended(1, invited_at=at), deps) == expected
    assert await handle(disposed(1, redeemed_at=at), deps) == expected
    assert len(await deps.facts.of_campaign("c1")) == 1
    assert (await deps.windows.waiting_since() is None) == (outcome is not None)


async def test_outcomes_of_call_ends(ended: Make, disposed: Make) -> None:
    deps = Deps(facts=MemoryFacts(), windows=MemoryWindows())
    assert await handle(ended(1, dialled=False), deps) == Drop("NOT_DIALLED")
    assert await handle(ended(1), deps) == NOTHING
    assert await handle(ended(1), deps) == Drop("OLDER_REVISION")
    assert await handle(disposed(1), deps) == NOTHING
    assert await handle(disposed(1), deps) == Drop("OLDER_REVISION")
    assert await handle(ended(1), deps) == Drop("OLDER_REVISION")
    bad = await handle(ended(2, zone="Mars/Olympus"), deps)
    assert isinstance(bad, DeadLetter)
    assert bad.reason == "ZONE_UNKNOWN"


async def test_a_disposition_whose_fact_was_kept_before_a_crash_still_changes_its_windows(disposed: Make) -> None:
    deps = Deps(facts=MemoryFacts(), windows=MemoryWindows())
    await deps.facts.put(fact_of(disposed(1)))
    assert await handle(disposed(1), deps) == NOTHING
    assert await deps.windows.waiting_since() == NOW


async def test_the_console_gets_windows_with_rates_and_lag(windows: Windows, disposed: Make) -> None:
    deps = Deps(facts=MemoryFacts(), windows=windows)
    await windows.put(of_disposition(disposed(1, human_answer=True, connected=True)), NOW)
    await windows.put(of_disposition(disposed(2)), NOW)
    body = await ask(deps, campaign_id="c1", size="1h")
    [point] = body.pop("windows")
    assert body == {"campaign_id": "c1", "size": "1h", "since": "2026-11-15T15:00:07+00:00", "lag_seconds": 7.0}
    assert (point["window_start"], point["local_hour"]) == ("2026-11-17T15:00:00+00:00", 10)
    assert (point["attempts"], point["connects"], point["connect_rate"]) == (2, 1, 0.5)
    text = (await on_get_windows_metrics(request(), deps)).reply.body
    assert text.endswith("\noutdial_window_lag_seconds 7.0\n")
    await issue(deps)
    await issue(deps)
    assert (await ask(deps, campaign_id="c1", since="2026-11-17T15:05:00Z")) == {
        "campaign_id": "c1", "size": "5m", "since": "2026-11-17T15:05:00+00:00", "lag_seconds": 0.0, "windows": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "query", [{}, {"campaign_id": "c1", "size": "2m"}, {"campaign_id": "c1", "since": "2026-11-17T15:00:00"}]
)
async def test_a_bad_request_for_windows_is_a_problem(query: dict[str, str]) -> None:
    deps = Deps(facts=MemoryFacts(), windows=MemoryWindows())
    assert (await on_get_windows(request(**query), deps)).reply.status == 400


def test_a_window_ends_where_the_next_begins() -> None:
    window = Window(campaign_id="c", local_hour=9, seconds=300, start=NOW)
    assert window.end == NOW + timedelta(seconds=300)
    assert window.slice == "c/09"


def request(**query: str) -> Request:
    return Request(message=b"", now=NOW + timedelta(seconds=7), cause="c", query=query)


async def ask(deps: Deps, **query: str) -> dict[str, Any]:
    body = (await on_get_windows(request(**query), deps)).reply.body
    assert isinstance(body, dict)
    return body


async def issue(deps: Deps) -> list[Any]:
    outcome = await on_issue_windows(TickInput(now=NOW, partition=0), deps)
    other = await on_issue_windows(TickInput(now=NOW, partition=1), deps)
    assert isinstance(outcome, Publish)
    assert isinstance(other, Publish)
    return [*outcome.events, *other.events]


async def handle(event: Any, deps: Deps) -> Any:
    message = Received(event=event, cause="c", time=NOW, now=NOW, topic=event.TOPIC, partition=0, offset=0, raw=b"")
    return await SUBSCRIPTIONS[type(event)].handler(message, deps)
