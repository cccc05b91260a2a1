"""Callees without a network: what they play and when they hang up, on a clock of 20 ms frames."""

from collections.abc import Callable

import pytest

from outdial_sim import voices
from outdial_sim.callees import CalleePlan, plan_of
from outdial_sim.carrier.callee import Callee
from outdial_sim.carrier.states import IllegalTransition, UasEvent, UasState, advance
from outdial_sim.scenario import Kind, Scenario
from outdial_sim.voices import Role
from outdial_sim.wire.g711 import loudness

World = Callable[..., Scenario]
SOUNDS = voices.synthetic()
NEVER: Callable[[float], bool] = lambda now: False  # noqa: E731


def live(
    plan: CalleePlan, heard: Callable[[float], bool], *, limit: float = 200.0
) -> tuple[list[tuple[str, float]], str]:
    """Answer and run until the callee hangs up: (events with their times, reason)."""
    callee = Callee(plan, SOUNDS)
    callee.answer(0.0)
    events = []
    for place in range(int(limit / 0.02)):
        now = place * 0.02
        frame = callee.frame(now, heard=heard(now))
        assert len(frame.payload) == 160
        events += [(event, now) for event in frame.events]
        if frame.hangs_up is not None:
            return [*events, ("gone", now)], frame.hangs_up
    return events, ""


def plan(world: World, kind: Kind) -> CalleePlan:
    """The plan of some number of this kind."""
    return plan_of(world(kind), "+12125550123")


def test_an_abandoned_person_hangs_up_when_patience_ends(world: World) -> None:
    one = plan(world, Kind.HUMAN)
    events, reason = live(one, NEVER)
    times = dict(events)
    assert reason == "patience"
    assert times["gone"] - times["greeting_end"] == pytest.approx(one.patience_seconds, abs=0.05)
    assert one.patience_seconds > 2.0


def test_a_person_who_is_spoken_to_stays_and_answers(world: World) -> None:
    one = plan(world, Kind.HUMAN)
    callee = Callee(one, SOUNDS)
    callee.answer(0.0)
    loud = []
    for place in range(600):
        now = place * 0.02
        frame = callee.frame(now, heard=3.0 <= now < 5.0)
        assert frame.hangs_up is None
        if now > 5.0 and loudness(frame.payload) > 250:
            loud.append(now)
    assert loud
    assert 5.4 < loud[0] < 5.8


def test_a_person_leaves_a_conversation_that_never_ends(world: World) -> None:
    one = plan(world, Kind.HUMAN)
    _, reason = live(one, lambda now: now % 4 < 2)
    assert reason == "finished"


def test_voicemail_records_for_thirty_seconds_whatever_it_hears(world: World) -> None:
    events, reason = live(plan(world, Kind.VOICEMAIL), lambda now: True)
    times = dict(events)
    assert reason == "recorded"
    assert times["greeting_end"] < times["beep_end"]
    assert times["gone"] - times["beep_end"] == pytest.approx(30.0, abs=0.1)


def test_dead_air_never_speaks_and_ends_by_itself(world: World) -> None:
    events, reason = live(plan(world, Kind.DEAD_AIR), NEVER)
    assert reason == "dead_air_over"
    assert [name for name, _ in events] == ["gone"]


def test_a_hangup_greets_and_its_greeting_ends_no_later_than_the_call(world: World) -> None:
    events, reason = live(plan(world, Kind.HANGUP), NEVER)
    times = dict(events)
    assert reason == "hung_up_after_greeting"
    assert times["greeting_start"] < times["greeting_end"] <= times["gone"] < 2.0


def test_ringback_plays_until_the_answer_and_the_intercept_plays_once(world: World) -> None:
    ringing = Callee(plan(world, Kind.NO_ANSWER), SOUNDS)
    ringing.start_early(0.0)
    levels = [loudness(ringing.frame(place * 0.02, heard=False).payload) for place in range(400)]
    assert levels[50] > 1000
    assert levels[200] < 100
    assert levels[350] > 1000
    intercept = Callee(plan(world, Kind.SIT), SOUNDS)
    intercept.start_early(0.0)
    over = [place * 0.02 for place in range(1000) if intercept.frame(place * 0.02, heard=False).early_over]
    assert len(over) == 1


def test_every_open_line_carries_the_same_room_noise(world: World) -> None:
    quiet = Callee(plan(world, Kind.DEAD_AIR), SOUNDS)
    quiet.answer(0.0)
    frame = quiet.frame(0.0, heard=False)
    assert len(set(frame.payload)) > 2
    assert loudness(frame.payload) < 100


def test_the_committed_clips_have_every_role_and_only_meaningless_names() -> None:
    if not voices.CLIPS_FILE.is_file():
        pytest.skip("the clips have not been made")
    sounds = voices.load()
    assert set(sounds.clips) == set(Role)
    assert all(4.0 < clip.speech_end / 8000 < 11.0 for clip in sounds.clips[Role.VOICEMAIL_GREETING])
    assert all(clip.speech_end / 8000 < 3.0 for clip in sounds.clips[Role.HUMAN_GREETING])
    names = [file.stem for file in voices.CLIPS_FILE.parent.glob("*.ulaw")]
    words = ("human", "voice", "mail", "hello", "sit", "agent")
    assert not [name for name in names for word in words if word in name]


def test_a_call_state_without_a_cell_names_state_and_event() -> None:
    with pytest.raises(IllegalTransition, match="routing on bye_done"):
        advance(UasState.ROUTING, UasEvent.BYE_DONE)
