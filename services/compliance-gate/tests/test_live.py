"""The live book: the newest word on a campaign and on a stop holds, in whatever order words come again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from compliance_gate.domain.live import LiveBook
from outdial_contracts.events import BlockReason, CampaignPublished, CampaignState, StopChanged
from outdial_testing.campaigns import campaign_document

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
RUNNING = CampaignPublished(
    campaign_id="c1",
    slot="state",
    version=1,
    team_id="blue",
    state=CampaignState.RUNNING,
    published_at=NOW,
    published_by="ops@example.test",
)
STOPPED = replace(RUNNING, state=CampaignState.STOPPED, published_at=NOW + timedelta(seconds=1))
PRESSED = StopChanged(scope="all", stopped=True, reason="x", changed_at=NOW + timedelta(seconds=1), changed_by="ops")
RELEASED_BEFORE = replace(PRESSED, stopped=False, changed_at=NOW)


def book() -> LiveBook:
    made = LiveBook()
    made.publish(replace(RUNNING, slot="1", document=campaign_document()))
    made.publish(RUNNING)
    return made


def reasons(live: LiveBook) -> set[BlockReason]:
    return {reason for reason, _ in live.blocks("c1", "S1", frozenset())}


@pytest.mark.parametrize("words", [(STOPPED,), (STOPPED, RUNNING), (STOPPED, RUNNING, STOPPED)])
def test_stopped_campaign_stays_so_when_its_start_comes_again(words: tuple[CampaignPublished, ...]) -> None:
    live = book()
    changed = [live.publish(word) for word in words]
    assert reasons(live) == {BlockReason.CAMPAIGN_STOPPED}
    assert changed == [True, *[False] * (len(words) - 1)]


def test_pressed_stop_stays_so_when_an_older_release_comes_again() -> None:
    live = book()
    assert [live.change_stop(word) for word in (PRESSED, RELEASED_BEFORE, PRESSED)] == [True, False, False]
    assert reasons(live) == {BlockReason.GLOBAL_STOP}
    assert live.pressed() == ["all"]
    assert live.change_stop(replace(PRESSED, stopped=False))
    assert reasons(live) == set()
