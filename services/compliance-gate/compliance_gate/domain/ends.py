"""What both ends of a call ask for beside whether it may be placed: recording, and the number that is shown.

Recording follows the stricter end: the rows of the callee's places and of the agents' are looked at apart, and an end
of which no row speaks asks for consent, because nobody said that less is enough. A number shown must be one that can
be called back, and begin as the rows of the callee's places say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from compliance_gate.domain.counting import local_date
from compliance_gate.domain.facts import Facts
from compliance_gate.domain.places import Place, locate, normalise
from compliance_gate.domain.rules import CallerIdRule, RulePack, Scope
from outdial_contracts.events import Address, BlockReason, CampaignDocument, Purpose, RecordingRule

NO_DUTY_KNOWN = "GATE-RECORDING"
"""An end whose place no row of the pack knows."""
CALLABLE = "GATE-CALLER-ID"
"""Every number shown can be called back."""
STRICTNESS = (RecordingRule.NONE, RecordingRule.ANNOUNCE, RecordingRule.ASK)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The duty of a call, and the rows of either end that ask for it."""

    asks: RecordingRule
    rule_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Which of our numbers may be shown."""

    rule_ids: tuple[str, ...] = ()
    """Rows that apply."""
    prefixes: tuple[str, ...] | None = None
    """E.164 beginnings of which the number has one; None: any number that can be called."""

    def admits(self, caller_id: str) -> bool:
        """Whether a number begins as it must."""
        return self.prefixes is None or caller_id.startswith(self.prefixes)


def recording_of(
    every: Sequence[Facts], place: Place, agents: frozenset[str], now: datetime, pack: RulePack
) -> Recording:
    """The stricter end's duty, over the facts of every mode that was allowed.

    Args:
        agents: where the agents are, as `agents_at` tells.
    """
    duties = [duty for end in (place.jurisdictions, agents) for duty in _duties(every, end, place, now, pack)]
    asks = max((duty for duty, _ in duties), key=STRICTNESS.index)
    return Recording(asks=asks, rule_ids=tuple(sorted({rule_id for duty, rule_id in duties if duty is asks})))


def agents_at(document: CampaignDocument, pack: RulePack) -> frozenset[str]:
    """Country and region of the agents: the campaign's word, else where the seller's callback number is."""
    if document.agent_region:
        return frozenset({document.agent_region, document.agent_region.partition("-")[0]})
    callback = normalise(document.seller_callback, "US", pack.geography)
    return locate(callback, Address(), pack).jurisdictions if callback is not None else frozenset()


def _duties(
    every: Sequence[Facts], end: frozenset[str], place: Place, now: datetime, pack: RulePack
) -> Iterator[tuple[RecordingRule, str]]:
    found = [(row.asks, row.rule_id) for row in pack.at(end)[0] if _speaks(row.scope, every, end, place, now)]
    yield from found or [(RecordingRule.ASK, NO_DUTY_KNOWN)]


def shown_of(every: Sequence[Facts], place: Place, now: datetime, pack: RulePack) -> Shown:
    """The numbers that every row of the callee's places admits; an emergency is bound by none."""
    if any(facts.call.purpose is Purpose.EMERGENCY for facts in every):
        return Shown()
    bound = pack.at(place.jurisdictions)[1]
    rows = [row for row in bound if _speaks(row.scope, every, place.jurisdictions, place, now)]
    prefixes: tuple[str, ...] | None = None
    for row in rows:
        if row.prefixes:
            prefixes = row.prefixes if prefixes is None else tuple(_both(prefixes, row.prefixes))
    return Shown(rule_ids=tuple(sorted(row.rule_id for row in rows)), prefixes=prefixes)


def _both(left: Sequence[str], right: Sequence[str]) -> Iterator[str]:
    """Beginnings that have one of either side."""
    for one in left:
        for other in right:
            if one.startswith(other) or other.startswith(one):
                yield max(one, other, key=len)


def caller_id_failures(
    caller_ids: Iterable[str], shown: Shown, purpose: Purpose, pack: RulePack
) -> Iterator[tuple[BlockReason, str]]:
    """Why none of these numbers may be shown; nothing when one may, or when there is none to choose from."""
    numbers = list(caller_ids)
    if purpose is Purpose.EMERGENCY or not numbers:
        return
    callable_numbers = [number for number in numbers if normalise(number, "", pack.geography) == number]
    if not callable_numbers:
        yield BlockReason.CALLER_ID, CALLABLE
    elif not any(map(shown.admits, callable_numbers)):
        for rule_id in shown.rule_ids:
            row = pack.rule(rule_id)
            if isinstance(row, CallerIdRule) and row.prefixes:
                yield BlockReason.CALLER_ID, rule_id


def _speaks(scope: Scope, every: Sequence[Facts], end: frozenset[str], place: Place, now: datetime) -> bool:
    if not any(
        scope.applies(end, facts.call.purpose, facts.lead.consumer, facts.call.mode, facts.lead.line_type)
        for facts in every
    ):
        return False
    return any(scope.in_force(day) for day in {local_date(now, zone) for zone in place.zones} or {now.date()})
