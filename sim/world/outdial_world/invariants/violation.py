"""What an invariant says when it does not hold, and the names by which invariants are known everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Name(StrEnum):
    """docs/invariants.md has a row for each."""

    # the phone network
    INVITED_WAS_REDEEMED = "invited-was-redeemed"
    REDEEMED_WAS_INVITED = "redeemed-was-invited"
    INVITE_WITHIN_GRANT = "invite-within-grant"
    PHONE_RINGS_ONCE = "phone-rings-once"
    NO_DIAL_WHILE_PAUSED = "no-dial-while-paused"
    NO_DIAL_OUTSIDE_HOURS = "no-dial-outside-hours"
    SUPPRESSED_NOT_DIALLED = "suppressed-not-dialled"
    SUPPRESSED_RINGING_CANCELLED = "suppressed-ringing-cancelled"
    # offers and caps
    OFFER_DECIDED_ONCE = "offer-decided-once"
    CLEARANCE_CLOSED_ONCE = "clearance-closed-once"
    REDEEMED_ONCE = "redeemed-once"
    OPEN_ATTEMPT_PER_PERSON = "open-attempt-per-person"
    OPEN_ATTEMPT_PER_NUMBER = "open-attempt-per-number"
    RETRY_BUDGET_PER_PERSON = "retry-budget-per-person"
    LEGAL_CAP_PER_PERSON = "legal-cap-per-person"
    REFUSED_FOR_CAUSE = "refused-for-cause"
    SUPPLY_WITHIN_DEMAND = "supply-within-demand"
    CLEARED_COUNTED_ONCE = "cleared-counted-once"
    ATTEMPTS_COUNTED = "attempts-counted"
    # dispositions
    ONE_DISPOSITION = "one-disposition"
    DISPOSITION_IN_TIME = "disposition-in-time"
    DIALLED_IS_CHARGED = "dialled-is-charged"
    # agents
    ONE_CALL_PER_AGENT = "one-call-per-agent"
    ABSENT_AGENT_GETS_NO_CALL = "absent-agent-gets-no-call"
    AGENT_FREED_BY_HIS_WORD = "agent-freed-by-his-word"
    STALE_OWNER_ASSIGNS_NOTHING = "stale-owner-assigns-nothing"
    # the drop budget
    SPENT_BUDGET_STOPS_OVERDIALLING = "spent-budget-stops-overdialling"
    PACER_COUNTS_THE_TRUTH = "pacer-counts-the-truth"
    DROPS_ARE_WHAT_CALLEES_HEARD = "drops-are-what-callees-heard"
    # leases
    LEASES_RETURN = "leases-return"
    # delivery
    WORLD_COMES_TO_REST = "world-comes-to-rest"
    NOTHING_LOST = "nothing-lost"
    SAME_ON_SECOND_RUN = "same-on-second-run"
    CE_ID_NAMES_ONE_EVENT = "ce-id-names-one-event"
    NUMBERS_STAY_RESTRICTED = "numbers-stay-restricted"
    DEAD_LETTERS_ONLY_FOR_BAD = "dead-letters-only-for-bad"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One way in which one invariant does not hold in one history."""

    name: Name
    detail: str
    """One sentence; no phone number of a callee."""
    attempt_id: str = ""
    at: datetime | None = None

    def __str__(self) -> str:
        when = f" at {self.at:%H:%M:%S.%f}"[:-3] if self.at else ""
        return f"{self.name}: {self.detail}{when}" + (f" (attempt {self.attempt_id})" if self.attempt_id else "")
