"""Who answers and how: one plan per call, drawn before the call begins, so that the order of calls changes nothing."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from media_gateway.detection.call_progress import Tone
from media_gateway.detection.early import EarlyMedia, EarlyVerdict
from media_gateway.detection.greeting import Answerer, Profile, Verdict, VerdictReason


class Behaviour(StrEnum):
    """What a callee does with one call."""

    HUMAN = "human"
    HANGUP = "hangup"
    """A person who says a word and hangs up."""
    VOICEMAIL = "voicemail"
    FAX = "fax"
    DEAD_AIR = "dead_air"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    DECLINED = "declined"
    SIT = "sit"
    """Special information tones and an announcement in early media, then 404."""
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    LOST = "lost"
    """The carrier never says anything: timer B ends it and nobody knows."""


PEOPLE = frozenset({Behaviour.HUMAN, Behaviour.HANGUP})
ANSWERING = PEOPLE | {Behaviour.VOICEMAIL, Behaviour.FAX, Behaviour.DEAD_AIR}
MIX: Mapping[Behaviour, float] = {
    Behaviour.HUMAN: 0.42,
    Behaviour.HANGUP: 0.03,
    Behaviour.VOICEMAIL: 0.18,
    Behaviour.FAX: 0.01,
    Behaviour.DEAD_AIR: 0.02,
    Behaviour.NO_ANSWER: 0.14,
    Behaviour.BUSY: 0.08,
    Behaviour.DECLINED: 0.02,
    Behaviour.SIT: 0.03,
    Behaviour.NOT_FOUND: 0.03,
    Behaviour.UNAVAILABLE: 0.03,
    Behaviour.LOST: 0.01,
}
_STATUS = {
    Behaviour.NO_ANSWER: (480, None),
    Behaviour.BUSY: (486, 17),
    Behaviour.DECLINED: (603, 21),
    Behaviour.SIT: (404, 1),
    Behaviour.NOT_FOUND: (404, None),
    Behaviour.UNAVAILABLE: (503, None),
}
RING_TIMEOUT_SECONDS = 18.0
CARRIER_RINGS_SECONDS = 60.0
LATE_ANSWER_SHARE = 0.04
"""Answers that come when the caller is about to give up, so that they cross its CANCEL."""
MACHINE_TAKEN_FOR_PERSON = 0.03
PERSON_TAKEN_FOR_MACHINE = 0.02
UNCERTAIN_SHARE = 0.05
OPT_OUT_KEY_SHARE = 0.06
DEAF_SHARE = 0.005
MACHINE_STAYS_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class CalleePlan:
    """All a callee will do; seconds count from the INVITE's arrival, the ring, or the answer."""

    behaviour: Behaviour
    latency_seconds: float
    """One way between gateway and carrier."""
    pdd_seconds: float
    rings: bool
    ring_seconds: float
    early: tuple[EarlyVerdict, ...]
    """With sound before the answer: what the detector makes of it, `decided_ms` from its first frame. Empty: a 180."""
    status: int
    q850_cause: int | None
    greeting_end_seconds: float | None
    """From the answer; None for whoever says nothing."""
    heard: Verdict
    """What the detector makes of the answer, errors included."""
    patience_seconds: float
    stay_seconds: float
    opt_out_key_seconds: float | None
    honours_cancel: bool

    @property
    def answers(self) -> bool:
        """Whether there will be a 200."""
        return self.behaviour in ANSWERING


def draw_plan(stream: random.Random, mix: Mapping[Behaviour, float] = MIX) -> CalleePlan:
    """One call's plan out of a stream of its own; shares of the mix need not add up to 1."""
    behaviour = stream.choices(list(mix), list(mix.values()))[0]
    status, cause = _STATUS.get(behaviour, (200, None))
    late = stream.random() < LATE_ANSWER_SHARE
    ring = RING_TIMEOUT_SECONDS + stream.uniform(-0.08, 0.08) if late else stream.uniform(0.4, 9.0)
    heard, greeting_end = _heard(behaviour, stream)
    return CalleePlan(
        behaviour=behaviour,
        latency_seconds=stream.uniform(0.003, 0.03),
        pdd_seconds=stream.uniform(0.1, 0.9),
        rings=behaviour in ANSWERING or behaviour is Behaviour.NO_ANSWER,
        ring_seconds=CARRIER_RINGS_SECONDS if behaviour is Behaviour.NO_ANSWER else ring,
        early=_early(behaviour, stream),
        status=status,
        q850_cause=cause,
        greeting_end_seconds=greeting_end,
        heard=heard,
        patience_seconds=stream.uniform(4.0, 9.0),
        stay_seconds=_stay_seconds(behaviour, stream),
        opt_out_key_seconds=stream.uniform(0.5, 6.0) if stream.random() < OPT_OUT_KEY_SHARE else None,
        honours_cancel=stream.random() >= DEAF_SHARE,
    )


def _stay_seconds(behaviour: Behaviour, stream: random.Random) -> float:
    """A person: from the first word heard; who hangs up at once and machines: from the answer."""
    drawn = stream.uniform(8.0, 60.0)
    if behaviour is Behaviour.HANGUP:
        return 0.9 + drawn / 100
    return drawn if behaviour is Behaviour.HUMAN else MACHINE_STAYS_SECONDS


def _early(behaviour: Behaviour, stream: random.Random) -> tuple[EarlyVerdict, ...]:
    sounds = stream.random() < 0.25
    if behaviour is Behaviour.SIT:
        tones = EarlyVerdict(media=EarlyMedia.SIT, decided_ms=1100, tone=Tone.SIT_INTERCEPT)
        return (tones,)
    if sounds and behaviour in ANSWERING | {Behaviour.NO_ANSWER}:
        return (EarlyVerdict(media=EarlyMedia.RINGBACK, decided_ms=700),)
    return ()


def _heard(behaviour: Behaviour, stream: random.Random) -> tuple[Verdict, float | None]:
    """The verdict in the detector's own timing, and when the greeting really ended."""
    profile, chance = Profile(), stream.random()
    start_ms = stream.randint(100, 600)
    length_ms = stream.randint(300, 1900)
    if behaviour is Behaviour.FAX:
        return Verdict(answerer=Answerer.FAX, reason=VerdictReason.FAX_TONE, decided_ms=1500), None
    if behaviour not in PEOPLE | {Behaviour.VOICEMAIL}:
        return Verdict(
            answerer=Answerer.SILENCE, reason=VerdictReason.DEAD_AIR, decided_ms=profile.dead_air_ms + 20
        ), None
    if behaviour is Behaviour.VOICEMAIL and chance >= MACHINE_TAKEN_FOR_PERSON:
        return _verdict(Answerer.MACHINE, start_ms, profile.machine_greeting_ms, 0), None
    if behaviour in PEOPLE and chance < PERSON_TAKEN_FOR_MACHINE:
        return _verdict(Answerer.MACHINE, start_ms, profile.machine_greeting_ms, 0), (start_ms + length_ms) / 1000
    if chance > 1.0 - UNCERTAIN_SHARE:
        verdict = _verdict(Answerer.UNCERTAIN, start_ms, length_ms + 1500, profile.uncertain_after_ms)
        return verdict, (start_ms + length_ms + 1500) / 1000
    return _verdict(Answerer.HUMAN, start_ms, length_ms, profile.end_of_greeting_ms), (start_ms + length_ms) / 1000


_REASONS = {
    Answerer.HUMAN: VerdictReason.SHORT_GREETING,
    Answerer.MACHINE: VerdictReason.LONG_GREETING,
    Answerer.UNCERTAIN: VerdictReason.GREETING_BETWEEN,
}


def _verdict(answerer: Answerer, start_ms: int, length_ms: int, after_ms: int) -> Verdict:
    end_ms = start_ms + length_ms
    return Verdict(
        answerer=answerer,
        reason=_REASONS[answerer],
        decided_ms=end_ms + after_ms,
        greeting_start_ms=start_ms,
        greeting_end_ms=end_ms,
    )
