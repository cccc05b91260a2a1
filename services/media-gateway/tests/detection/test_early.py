"""Before the answer: what the network says, by its tones, clean, noisy and with loss; never an answer."""

from __future__ import annotations

import numpy as np
import pytest

from media_gateway.detection.call_progress import Tone
from media_gateway.detection.early import FINAL, TRANSITIONS, EarlyMedia, EarlyMediaDetector, EarlyVerdict

from .line import Samples, cadence, clip, clips, frames, lossy, noisy, silence, tone

SIT = {
    Tone.SIT_INTERCEPT: ((913.8, 0.274), (1370.6, 0.274)),
    Tone.SIT_VACANT: ((985.2, 0.380), (1370.6, 0.274)),
    Tone.SIT_NO_CIRCUIT: ((985.2, 0.380), (1428.5, 0.380)),
    Tone.SIT_REORDER: ((913.8, 0.274), (1428.5, 0.380)),
}
CADENCES = {
    "us ringback": (cadence((2.0, 4.0), hz=(440, 480), repeat=2), EarlyMedia.RINGBACK),
    "european ringback": (cadence((1.0, 4.0), hz=(425,), repeat=2), EarlyMedia.RINGBACK),
    "british ringback": (cadence((0.4, 0.2), (0.4, 2.0), hz=(400, 450), repeat=2), EarlyMedia.RINGBACK),
    "single-tone double ring": (cadence((0.4, 0.2), (0.4, 2.0), hz=(425,), repeat=2), EarlyMedia.RINGBACK),
    "us busy": (cadence((0.5, 0.5), hz=(480, 620)), EarlyMedia.BUSY),
    "european busy": (cadence((0.5, 0.5), hz=(425,)), EarlyMedia.BUSY),
    "british busy": (cadence((0.375, 0.375), hz=(400,)), EarlyMedia.BUSY),
    "us reorder": (cadence((0.25, 0.25), hz=(480, 620)), EarlyMedia.REORDER),
    "european congestion": (cadence((0.2, 0.2), hz=(425,)), EarlyMedia.REORDER),
}


def verdicts(heard: list[Samples]) -> list[EarlyVerdict]:
    detector = EarlyMediaDetector()
    return [verdict for frame in heard if (verdict := detector.feed(frame)) is not None]


def sit(kind: Tone) -> Samples:
    return np.concatenate([silence(0.3), *(tone(s, hz) for hz, s in (*SIT[kind], (1776.7, 0.380))), silence(0.5)])


@pytest.mark.parametrize("name", CADENCES)
@pytest.mark.parametrize("noise_dbov", [-70.0, -38.0])
def test_each_countrys_cadence_is_named(name: str, noise_dbov: float) -> None:
    samples, expected = CADENCES[name]
    assert [v.media for v in verdicts(frames(noisy(samples, noise_dbov)))] == [expected]


@pytest.mark.parametrize("name", CADENCES)
@pytest.mark.parametrize("every", [20, 50])
def test_two_to_five_percent_loss_does_not_change_the_name(name: str, every: int) -> None:
    samples, expected = CADENCES[name]
    assert verdicts(lossy(noisy(samples, -60), every=every))[-1].media is expected


@pytest.mark.parametrize("kind", SIT)
def test_sit_names_why_the_call_failed(kind: Tone) -> None:
    (verdict,) = verdicts(frames(noisy(sit(kind), -60)))
    assert (verdict.media, verdict.tone, verdict.is_final) == (EarlyMedia.SIT, kind, True)


def test_the_announcement_after_sit_adds_no_verdict() -> None:
    found = verdicts(frames(noisy(clip(clips("carrier_intercept")[0]), -60)))
    assert [(v.media, v.tone) for v in found] == [(EarlyMedia.SIT, Tone.SIT_INTERCEPT)]


def test_an_announcement_after_ringing_is_told_but_ends_nothing() -> None:
    samples = np.concatenate([cadence((2.0, 1.0), hz=(440, 480), repeat=1), clip(clips("voicemail_greeting")[0])])
    found = verdicts(frames(noisy(samples, -60)))
    assert [v.media for v in found] == [EarlyMedia.RINGBACK, EarlyMedia.ANNOUNCEMENT]
    assert not any(v.is_final for v in found)


def test_ringing_that_turns_busy_is_told_twice() -> None:
    samples = np.concatenate([CADENCES["us ringback"][0], CADENCES["us busy"][0]])
    assert [v.media for v in verdicts(frames(noisy(samples, -60)))] == [EarlyMedia.RINGBACK, EarlyMedia.BUSY]


def test_a_silent_or_noisy_line_says_nothing() -> None:
    assert verdicts(frames(silence(5.0))) == []
    assert verdicts(frames(noisy(silence(5.0), -35))) == []


def test_no_final_state_is_ever_left() -> None:
    assert all(after is before for (before, _), after in TRANSITIONS.items() if before in FINAL)
