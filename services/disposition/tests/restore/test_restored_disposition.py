"""After its database went back in time: no revision is said in two ways, no attempt twice, no webhook is lost."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from disposition.app import SUBSCRIPTIONS
from disposition.handlers import restoring
from outdial_contracts import events as ev
from outdial_runtime import reading_back
from outdial_runtime.loop import HandlerFault
from outdial_runtime.outcome import Publish
from outdial_runtime.service import Received

LONG = 200.0
"""Seconds after which every deadline has passed."""


class Killed(Exception):
    """The process died here."""


def assert_no_revision_in_two_ways(service: Any) -> None:
    told: dict[tuple[str, int], ev.CallDisposition] = {}
    for event in service.broker.events(ev.CallDisposition):
        assert told.setdefault((event.attempt_id, event.revision), event) == event


async def test_attempt_closed_after_the_backup_stays_as_it_was_closed(service: Any, attempt: Any) -> None:
    await service.hear(attempt.ended("NO_ANSWER", 18.0))
    assert service.said == [(1, "NO_ANSWER")]
    await service.restore()
    await service.advance(LONG)
    assert service.said == [(1, "NO_ANSWER")]
    record = await service.record(attempt.attempt_id)
    assert (record.end.end_class, record.deadline_at) == (ev.EndClass.NO_ANSWER, None)


async def test_attempt_given_up_after_the_backup_is_not_given_up_again(service: Any, attempt: Any) -> None:
    await service.advance(LONG)
    assert service.said == [(1, "UNKNOWN")]
    await service.restore()
    await service.advance(LONG)
    assert service.said == [(1, "UNKNOWN")]
    await service.hear(attempt.ended("BUSY", 3.0))
    assert service.said == [(1, "UNKNOWN"), (2, "BUSY")]


async def test_revisions_go_on_above_those_that_readers_have(service: Any, attempt: Any) -> None:
    await service.hear(*attempt.conversation()[3:], attempt.wrapup("INTERESTED", 45.0))
    await service.hear(attempt.wrapup("NOT_INTERESTED", 50.0))
    await service.restore()
    await service.advance(LONG)
    assert service.said == [(1, "INTERESTED"), (2, "NOT_INTERESTED")]
    await service.hear(attempt.wrapup("CALLBACK", 60.0))
    assert service.said == [(1, "INTERESTED"), (2, "NOT_INTERESTED"), (3, "CALLBACK")]
    assert_no_revision_in_two_ways(service)


async def test_word_of_the_agent_that_was_awaited_at_the_restore_still_counts(service: Any, attempt: Any) -> None:
    await service.hear(*attempt.conversation()[3:])
    assert service.said == []
    await service.restore()
    await service.hear(attempt.wrapup("INTERESTED", 45.0))
    await service.advance(LONG)
    assert service.said == [(1, "INTERESTED")]


async def test_attempt_begun_and_ended_after_the_backup_is_known_again(service: Any, attempt: Any) -> None:
    other = type(attempt)(str(uuid.UUID(int=7)))
    await service.hear(other.closed(), other.progress("INVITED", 0.1), other.ended("BUSY", 2.0))
    await service.restore()
    await service.advance(LONG)
    assert sorted(service.said) == [(1, "BUSY"), (1, "UNKNOWN")]
    assert (await service.record(other.attempt_id)).said[0].event.code is ev.DispositionCode.BUSY


async def test_end_that_nobody_had_read_before_the_restore_is_said_once(service: Any, attempt: Any) -> None:
    await service.kill()
    service.broker.publish(attempt.ended("NO_ANSWER", 18.0), cause="late")
    await service.database.restore()
    await service.start()
    await service.advance(LONG)
    assert service.said == [(1, "NO_ANSWER")]


async def test_cause_that_comes_again_says_what_it_said(service: Any, attempt: Any) -> None:
    ended = attempt.ended("NO_ANSWER", 18.0)
    await service.hear(ended)
    [published] = service.broker.events(ev.CallDisposition)
    await service.restore()
    message = Received(
        event=ended,
        cause=service.cause_of(ended),
        time=service.clock.now(),
        now=service.clock.now(),
        topic=ended.TOPIC,
        partition=0,
        offset=0,
        raw=b"",
    )
    assert await SUBSCRIPTIONS[ev.CallEnded].handler(message, service.deps) == Publish([published])
    other = await SUBSCRIPTIONS[ev.CallEnded].handler(replace(message, cause="another"), service.deps)
    assert other == Publish()


async def test_revision_that_the_restore_lost_before_it_was_published_leaves_a_gap(service: Any, attempt: Any) -> None:
    await service.hear(attempt.ended("NO_ANSWER", 18.0))
    [first] = service.broker.events(ev.CallDisposition)
    service.broker.publish(replace(first, revision=2, code=ev.DispositionCode.BUSY), cause="of a lost timeline")
    await service.restore()
    await service.hear(attempt.wrapup("DNC_REQUESTED", 60.0))
    assert [revision for revision, _ in service.said] == [1, 2, 3]
    assert_no_revision_in_two_ways(service)


async def test_until_it_has_read_back_it_judges_nothing_and_says_why(
    service: Any, attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.hear(attempt.ended("NO_ANSWER", 18.0))
    await service.kill()
    await service.database.restore()
    _read_nothing(monkeypatch)
    service.boot()
    await service.advance(LONG)
    await service.hear(attempt.wrapup("DNC_REQUESTED", 60.0))
    assert service.runtime.not_ready == reading_back.WHY_NOT_READY
    assert service.said == [(1, "NO_ANSWER")]
    monkeypatch.undo()
    await service.advance(LONG)
    assert service.runtime.not_ready is None
    assert service.said == [(1, "NO_ANSWER"), (2, "NO_ANSWER")]
    assert service.broker.events(ev.CallDisposition)[1].dnc


async def test_restart_without_a_restore_finds_nothing(service: Any, attempt: Any) -> None:
    word = attempt.wrapup("INTERESTED", 45.0, callback_at=attempt.closed().closed_at)
    await service.hear(*attempt.conversation()[3:], word)
    await service.advance(1.0)
    await service.kill()
    before = service.clock.monotonic()
    await service.start()
    assert not service.deps.guard.restored
    assert service.clock.monotonic() - before < 2.0
    await service.advance(LONG)
    assert service.said == [(1, "INTERESTED")]


async def test_marks_follow_what_was_handled(service: Any, attempt: Any) -> None:
    await service.hear(attempt.ended("NO_ANSWER", 18.0))
    await service.advance(20.0)
    marks = await service.deps.source.marks.marks()
    handled = {source.topic for source, offset in marks.items() if offset}
    assert handled == {"clearance.closed", "call.progress", "call.ended", "call.disposition"}


@pytest.mark.parametrize("dies_at", range(1, 8))
async def test_crash_while_reading_back_changes_nothing_of_its_end(
    service: Any, attempt: Any, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.hear(*attempt.conversation()[3:], attempt.wrapup("INTERESTED", 45.0))
    await service.hear(attempt.wrapup("NOT_INTERESTED", 50.0))
    whole = await service.record(attempt.attempt_id)
    taken = [0]

    def dying(real: Any) -> Any:
        async def take(message: Any, deps: Any) -> None:
            taken[0] += 1
            if taken[0] == dies_at:
                raise Killed
            await real(message, deps)
            if taken[0] == dies_at + 1:
                raise Killed

        return take

    takers = {kind: dying(taker) for kind, taker in restoring.TAKERS.items()}
    monkeypatch.setattr(restoring, "REREADING", replace(restoring.REREADING, takers=takers))
    with pytest.raises(HandlerFault):
        await service.restore()
    monkeypatch.undo()
    await service.start()
    await service.advance(LONG)
    again = await service.record(attempt.attempt_id)
    assert [said.event for said in again.said] == [said.event for said in whole.said]
    assert replace(again, said=(), alive_until=None) == replace(whole, said=(), alive_until=None)
    assert service.said == [(1, "INTERESTED"), (2, "NOT_INTERESTED")]


async def test_webhooks_queued_after_the_backup_are_queued_again_word_for_word(service: Any, attempt: Any) -> None:
    word = attempt.wrapup("DNC_REQUESTED", 45.0, suppression_id=str(uuid.UUID(int=9)))
    await service.hear(*attempt.conversation()[3:], word, _lead_state(attempt))
    queued = await service.database.webhooks()
    assert len(queued) == 2
    await service.database.restore()
    assert await service.database.webhooks() == {}
    await service.restore()
    assert await service.database.webhooks() == queued
    await service.advance(LONG)
    assert await service.database.webhooks() == queued


async def test_opt_out_that_a_later_word_took_back_names_no_suppression(service: Any, attempt: Any) -> None:
    word = attempt.wrapup("DNC_REQUESTED", 45.0, suppression_id=str(uuid.UUID(int=9)))
    await service.hear(*attempt.conversation()[3:], word, attempt.wrapup("INTERESTED", 50.0))
    await service.restore()
    bodies = [json.loads(body)["data"] for body in (await service.database.webhooks()).values()]
    assert [(b["revision"], b["dnc"], b["suppression_id"]) for b in bodies] == [(1, True, None), (2, False, None)]


async def test_webhook_older_than_all_its_tries_is_not_queued_again(service: Any, attempt: Any) -> None:
    await service.hear(attempt.ended("NO_ANSWER", 18.0))
    await service.kill()
    await service.database.restore()
    service.clock.advance(timedelta(days=8).total_seconds())
    await service.start()
    assert await service.database.webhooks() == {}
    assert service.said == [(1, "NO_ANSWER")]


def _read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read_on(*args: Any, **kwargs: Any) -> bool:
        return False

    monkeypatch.setattr(reading_back, "read_on", read_on)
    monkeypatch.setattr(reading_back, "TURN_SECONDS", 0.0)


def _lead_state(attempt: Any) -> ev.LeadState:
    context = attempt.closed().context
    return ev.LeadState(
        lead_id=context.lead_id,
        source="crm",
        external_id="L1",
        campaign_id="c1",
        status=ev.LeadStatus.SUPPRESSED,
        is_final=True,
        attempts=1,
        last_code=ev.DispositionCode.DNC_REQUESTED,
        revision=3,
        at=attempt.closed().closed_at,
    )
