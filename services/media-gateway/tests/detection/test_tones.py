"""The tracker's table: a tone survives a concealed packet, and speech is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.detection.spectrum import Heard
from media_gateway.detection.tones import TRANSITIONS, ToneEvent, ToneState, ToneTracker


def line(hz: float, share: float = 0.95, level_dbov: float = -20.0) -> Heard:
    return Heard(
        level_dbov=level_dbov, first_hz=hz, first_share=share, second_hz=3000.0, second_share=0.01, fsk_share=0.0
    )


NOISE = line(700.0, share=0.3)


def track(heard: list[Heard]) -> ToneTracker:
    tracker = ToneTracker()
    for frame_no, frame in enumerate(heard):
        tracker.feed(frame_no, frame)
    return tracker


def test_a_steady_line_is_a_tone_from_its_first_frame() -> None:
    tracker = track([NOISE, NOISE] + [line(425.0)] * 10)
    assert tracker.current is not None
    assert (tracker.current.start_frame, tracker.current.length_ms) == (2, 200)


def test_a_moving_line_is_speech() -> None:
    assert track([line(300.0 + 25 * n) for n in range(30)]).current is None


def test_a_line_too_quiet_to_matter_is_no_tone() -> None:
    assert track([line(425.0, level_dbov=-60.0)] * 10).current is None


@pytest.mark.parametrize("disturbance", [NOISE, line(445.0)])
def test_a_few_disturbed_frames_do_not_cut_a_tone_in_two(disturbance: Heard) -> None:
    tracker = track([line(425.0)] * 10 + [disturbance] * 5 + [line(425.0)] * 10)
    assert len(tracker.runs) == 1
    assert tracker.runs[0].length_ms == 500


def test_a_pause_ends_the_tone_at_its_last_frame() -> None:
    tracker = track([line(425.0)] * 10 + [NOISE] * 10)
    assert tracker.current is None
    assert (tracker.runs[0].ended, tracker.runs[0].length_ms) == (True, 200)


def test_the_next_tone_begins_where_the_last_one_ends() -> None:
    tracker = track([line(914.0)] * 10 + [line(1371.0)] * 10)
    assert [(run.start_frame, run.ended) for run in tracker.runs] == [(0, True), (10, False)]


def test_every_state_knows_what_a_frame_without_a_line_means() -> None:
    assert {(state, ToneEvent.NONE) for state in ToneState} <= set(TRANSITIONS)


@given(
    st.lists(
        st.builds(
            Heard,
            level_dbov=st.floats(-80, 0),
            first_hz=st.sampled_from([425.0, 430.0, 470.0, 914.0, 2100.0]),
            first_share=st.sampled_from([0.3, 0.7, 0.95]),
            second_hz=st.sampled_from([450.0, 480.0, 1371.0]),
            second_share=st.sampled_from([0.01, 0.15, 0.4]),
            fsk_share=st.just(0.0),
        ),
        max_size=80,
    )
)
def test_no_sequence_of_frames_leaves_the_table(heard: list[Heard]) -> None:
    tracker = track(heard)
    assert all(run.ended for run in tracker.runs if run is not tracker.current)
    assert all(0 <= run.start_frame <= run.last_frame < len(heard) for run in tracker.runs)
