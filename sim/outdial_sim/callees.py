"""Who answers a number and how: every draw is a hash of (seed, E.164, what), so the order of calls changes nothing.

No timing here may tell the kind beyond what a real network tells: post-dial delay, the choice between 180 and 183,
and the pause before a greeting are drawn alike for every kind. Ring times differ only where the scenario says so.
"""

import hashlib
from dataclasses import dataclass

from outdial_sim.scenario import CalleesSpec, Kind, Range, Scenario

ALERTING = frozenset({Kind.HUMAN, Kind.VOICEMAIL, Kind.NO_ANSWER, Kind.DEAD_AIR, Kind.HANGUP})
ANSWERING = ALERTING - {Kind.NO_ANSWER}
PEOPLE = frozenset({Kind.HUMAN, Kind.HANGUP})
FINAL_STATUS = {Kind.NO_ANSWER: 480, Kind.BUSY: 486, Kind.SIT: 404, Kind.NOT_FOUND: 404, Kind.UNAVAILABLE: 503}
Q850_CAUSE = {Kind.BUSY: 17, Kind.SIT: 1}
DEFAULT_RING_SECONDS = Range(low=1.0, high=5.0)
NO_ANSWER_RING_SECONDS = Range(low=60.0, high=60.0)
GREETING_DELAY_SECONDS = Range(low=0.15, high=0.6)
PATIENCE_SECONDS = Range(low=4.0, high=9.0)
STAY_SECONDS = Range(low=30.0, high=120.0)
HANGUP_AFTER_SECONDS = Range(low=0.9, high=1.5)
BEEP_HZ = Range(low=850.0, high=1400.0)
EARLY_MEDIA_SHARE = 0.25
BUSY_REASON_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class CalleePlan:
    """All a callee will do, fixed before the call arrives; seconds count from the accepted INVITE, alert or answer."""

    kind: Kind
    pdd_seconds: float
    ring_seconds: float
    early_media: bool
    final_status: int
    q850_cause: int | None
    greeting_delay_seconds: float
    greeting_pick: float
    filler_pick: float
    patience_seconds: float
    stay_seconds: float
    hang_up_after_seconds: float
    beep_hz: float

    @property
    def alerts(self) -> bool:
        """Whether a 180 or 183 precedes the final response."""
        return self.kind in ALERTING or self.kind is Kind.SIT

    @property
    def answers(self) -> bool:
        """Whether the final response is a 200."""
        return self.kind in ANSWERING


def draw(seed: int, e164: str, what: str = "") -> float:
    """Uniform in [0, 1): the first 8 bytes of sha256("seed:E.164") or sha256("seed:E.164:what")."""
    name = f"{seed}:{e164}:{what}" if what else f"{seed}:{e164}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def kind_of(callees: CalleesSpec, seed: int, e164: str) -> Kind:
    """by_number wins; otherwise the draw without a `what`, walked through the mix in the order of Kind."""
    fixed = callees.by_number.get(e164)
    if fixed is not None:
        return fixed
    chance = draw(seed, e164)
    total = 0.0
    last = Kind.HUMAN
    for kind, share in callees.mix.items():
        total += share
        if share > 0.0:
            last = kind
            if chance < total:
                return kind
    return last


def plan_of(scenario: Scenario, e164: str) -> CalleePlan:
    """The plan of one callee; equal for equal (scenario, number), whoever asks and when."""
    seed = scenario.seed
    kind = kind_of(scenario.callees, seed, e164)

    def pick(what: str) -> float:
        return draw(seed, e164, what)

    return CalleePlan(
        kind=kind,
        pdd_seconds=scenario.carrier.pdd_ms.at(pick("pdd")) / 1000.0,
        ring_seconds=_ring_range(scenario.callees, kind).at(pick("ring")),
        early_media=kind is Kind.SIT or (kind in ALERTING and pick("early") < EARLY_MEDIA_SHARE),
        final_status=FINAL_STATUS.get(kind, 200),
        q850_cause=_cause(kind, pick("reason")),
        greeting_delay_seconds=GREETING_DELAY_SECONDS.at(pick("greeting_delay")),
        greeting_pick=pick("greeting"),
        filler_pick=pick("filler"),
        patience_seconds=PATIENCE_SECONDS.at(pick("patience")),
        stay_seconds=STAY_SECONDS.at(pick("stay")),
        hang_up_after_seconds=HANGUP_AFTER_SECONDS.at(pick("hangup")),
        beep_hz=BEEP_HZ.at(pick("beep")),
    )


def _ring_range(callees: CalleesSpec, kind: Kind) -> Range:
    """A kind that the scenario does not name rings like a human, so that its ring does not stand out."""
    if kind is Kind.NO_ANSWER:
        return callees.ring_seconds.get(kind, NO_ANSWER_RING_SECONDS)
    return callees.ring_seconds.get(kind, callees.ring_seconds.get(Kind.HUMAN, DEFAULT_RING_SECONDS))


def _cause(kind: Kind, chance: float) -> int | None:
    """Busy trunks send a Reason only sometimes, as real ones do (RFC 3326)."""
    if kind is Kind.BUSY and chance >= BUSY_REASON_SHARE:
        return None
    return Q850_CAUSE.get(kind)
