"""After the answer: people are not taken for machines, on a clean line, a noisy one, and one that loses packets."""

from __future__ import annotations

import numpy as np
import pytest

from media_gateway.detection.greeting import AnswerDetector, Answerer, Profile, Verdict, VerdictReason

from .line import Samples, beep_ms, cadence, clip, clips, frames, lossy, noisy, silence, tone

GREETINGS, VOICEMAILS = clips("human_greeting"), clips("voicemail_greeting")


def verdict_on(heard: list[Samples], profile: Profile | None = None) -> Verdict | None:
    detector = AnswerDetector(profile)
    found = [verdict for frame in heard if (verdict := detector.feed(frame)) is not None]
    assert len(found) <= 1
    return found[0] if found else None


def answered(samples: Samples, *, lead_seconds: float = 0.4, tail_seconds: float = 3.0) -> Samples:
    return np.concatenate([silence(lead_seconds), samples, silence(tail_seconds)])


@pytest.mark.parametrize("name", GREETINGS)
@pytest.mark.parametrize("lead_seconds", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("noise_dbov", [-75.0, -50.0])
def test_a_person_is_a_person(name: str, lead_seconds: float, noise_dbov: float) -> None:
    samples = clip(name)
    verdict = verdict_on(frames(noisy(answered(samples, lead_seconds=lead_seconds), noise_dbov)))
    assert verdict is not None
    assert verdict.answerer is Answerer.HUMAN
    assert verdict.reason is VerdictReason.SHORT_GREETING
    end_ms = lead_seconds * 1000 + len(samples) / 8
    assert verdict.greeting_end_ms == pytest.approx(end_ms, abs=200)
    assert verdict.delay_ms is not None
    assert 600 <= verdict.delay_ms <= 1_200


@pytest.mark.parametrize("name", VOICEMAILS)
@pytest.mark.parametrize("noise_dbov", [-75.0, -50.0])
def test_a_recording_is_a_machine(name: str, noise_dbov: float) -> None:
    verdict = verdict_on(frames(noisy(answered(clip(name)), noise_dbov)))
    assert verdict is not None
    assert verdict.answerer is Answerer.MACHINE


@pytest.mark.parametrize("every", [20, 33, 50])
@pytest.mark.parametrize(
    ("name", "answerer"),
    [*((n, Answerer.HUMAN) for n in GREETINGS), *((n, Answerer.MACHINE) for n in VOICEMAILS)],
)
def test_cyclic_loss_of_two_to_five_percent_changes_no_verdict(name: str, answerer: Answerer, every: int) -> None:
    verdict = verdict_on(lossy(noisy(answered(clip(name)), -60), every=every))
    assert verdict is not None
    assert verdict.answerer is answerer


@pytest.mark.parametrize("name", VOICEMAILS)
def test_the_beep_is_timed_for_a_message_left_after_it(name: str) -> None:
    samples = clip(name)
    detector = AnswerDetector()
    for frame in frames(noisy(answered(samples), -65)):
        detector.feed(frame)
    assert detector.beep_started_ms == pytest.approx(400 + len(samples) / 8 - beep_ms(name), abs=80)


@pytest.mark.parametrize("name", GREETINGS)
def test_no_beep_is_heard_in_a_persons_voice(name: str) -> None:
    detector = AnswerDetector()
    for frame in frames(noisy(answered(clip(name)), -65)):
        detector.feed(frame)
    assert detector.beep_started_ms is None


@pytest.mark.parametrize("noise_dbov", [-75.0, -40.0])
def test_dead_air_is_silence_after_its_time_and_no_person(noise_dbov: float) -> None:
    verdict = verdict_on(frames(noisy(silence(6.0), noise_dbov)))
    assert verdict is not None
    assert (verdict.answerer, verdict.reason) == (Answerer.SILENCE, VerdictReason.DEAD_AIR)
    assert verdict.decided_ms == pytest.approx(Profile().dead_air_ms, abs=40)
    assert verdict.greeting_end_ms is None
    assert verdict.delay_ms is None


@pytest.mark.parametrize("hz", [1100.0, 2100.0, 2225.0])
def test_a_fax_is_a_fax(hz: float) -> None:
    verdict = verdict_on(frames(noisy(answered(tone(0.5, hz), tail_seconds=3.0), -65)))
    assert verdict is not None
    assert (verdict.answerer, verdict.reason) == (Answerer.FAX, VerdictReason.FAX_TONE)


def test_an_answered_intercept_is_a_machine_by_its_tones() -> None:
    verdict = verdict_on(frames(noisy(answered(clip(clips("carrier_intercept")[0])), -65)))
    assert verdict is not None
    assert (verdict.answerer, verdict.reason) == (Answerer.MACHINE, VerdictReason.NETWORK_TONE)


def test_ringing_after_the_answer_is_neither_dead_air_nor_a_greeting() -> None:
    ringing = cadence((2.0, 2.0), hz=(440, 480), repeat=2)
    detector = AnswerDetector()
    heard = frames(noisy(np.concatenate([ringing, clip(GREETINGS[0]), silence(2.0)]), -65))
    during = [detector.feed(frame) for frame in heard[: len(ringing) // 160]]
    after = [v for frame in heard[len(ringing) // 160 :] if (v := detector.feed(frame)) is not None]
    assert not any(during)
    assert [v.answerer for v in after] == [Answerer.HUMAN]


def test_a_greeting_of_middling_length_goes_to_an_agent_within_the_budget() -> None:
    speech = clip(clips("agent_speech")[0])[: int(2.6 * 8000)]
    verdict = verdict_on(frames(noisy(answered(speech), -65)))
    assert verdict is not None
    assert (verdict.answerer, verdict.reason) == (Answerer.UNCERTAIN, VerdictReason.GREETING_BETWEEN)
    assert verdict.delay_ms is not None
    assert verdict.delay_ms <= 1_200


def test_no_verdict_uses_what_comes_after_it() -> None:
    start = noisy(answered(clip(GREETINGS[0]), tail_seconds=2.0), -60)
    first = verdict_on(frames(start))
    followed = verdict_on(frames(np.concatenate([start, clip(VOICEMAILS[0])])))
    assert first == followed


def test_thresholds_come_from_the_profile() -> None:
    quick = verdict_on(frames(noisy(answered(clip(VOICEMAILS[0])), -65)), Profile(machine_greeting_ms=2_400))
    usual = verdict_on(frames(noisy(answered(clip(VOICEMAILS[0])), -65)))
    assert quick is not None
    assert usual is not None
    assert quick.decided_ms < usual.decided_ms
