"""Connect rate in windows: what each attempt contributes, and how a contribution changes the windows it belongs to.

Theory of operation. A window is the sum of its attempts, and of each attempt only the latest word counts: its
disposition of the greatest revision, before that its call.ended of the greatest leg. `changes` compares a
contribution with the one known before and tells each window's difference; where both are kept in one transaction,
repeats, reorderings and later revisions leave every window equal to a recount. An attempt belongs to the windows of
the moment it began, the same that gives the callee's local hour: by the moment of its end, long calls would be missing
from the window in which the short ones beside them are counted, and the rate would swing with talk time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from analytics.domain.facts import UNKNOWN_HOUR, local_hour
from outdial_contracts.events import CallDisposition, CallEnded, ConnectRateWindow, EndClass, Verdict

SIZES_SECONDS = (300, 3600)
KEPT = timedelta(days=90)
"""As long as the topic keeps its records; a later word on an older attempt changes no window."""
AHEAD = timedelta(days=1)
"""An attempt that begins later than this from now is some clock's mistake."""
FORGOTTEN_AFTER = KEPT + timedelta(days=1)
"""A day later than anything may still change, so that no window is forgotten and then begun anew."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PERSON = frozenset({Verdict.HUMAN, Verdict.SCREENER})
CONVERSATION_SECONDS = 20.0
"""formats.md, Words; disposition decides by the same."""


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """The latest word on one attempt. Where it is not `charged`, it counts nowhere."""

    attempt_id: str
    revision: int
    """Of the disposition; 0 for a call.ended."""
    leg_no: int
    """Of the call.ended; 0 for a disposition."""
    campaign_id: str
    local_hour: int | None
    began_at: datetime
    charged: bool
    reached: bool
    human_answer: bool
    connected: bool
    conversation: bool

    def replaces(self, known: Contribution | None) -> bool:
        """Whether it is a later word than `known`."""
        return known is None or (known.revision, known.leg_no) < (self.revision, self.leg_no)

    @property
    def counts(self) -> Counts:
        """What it adds to each of its windows."""
        if not self.charged:
            return Counts()
        return Counts(
            attempts=1,
            reached=int(self.reached),
            human_answers=int(self.human_answer),
            connects=int(self.connected),
            conversations=int(self.conversation),
            provisional=int(self.revision == 0),
        )


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numerators and denominators of a window, or a difference of them."""

    attempts: int = 0
    reached: int = 0
    human_answers: int = 0
    connects: int = 0
    conversations: int = 0
    provisional: int = 0

    def plus(self, other: Counts, sign: int = 1) -> Counts:
        """The sum; the difference with sign -1."""
        return Counts(**{name: getattr(self, name) + sign * getattr(other, name) for name in COUNTED})


COUNTED = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which window."""

    campaign_id: str
    local_hour: int | None
    seconds: int
    start: datetime

    @property
    def end(self) -> datetime:
        """Exclusive."""
        return self.start + timedelta(seconds=self.seconds)

    @property
    def slice(self) -> str:
        """The record key."""
        hour = UNKNOWN_HOUR if self.local_hour is None else f"{self.local_hour:02d}"
        return f"{self.campaign_id}/{hour}"

    @property
    def window_id(self) -> str:
        """Slice, size and start."""
        return f"{self.slice}/{self.seconds}/{self.start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, kw_only=True)
class WindowState:
    """A window as it stands at a revision."""

    window: Window
    revision: int
    counts: Counts


def of_disposition(event: CallDisposition) -> Contribution:
    """What a disposition says of its attempt. Raises ZoneUnknown."""
    began_at = event.redeemed_at or event.invited_at or event.disposed_at
    return Contribution(
        attempt_id=event.attempt_id,
        revision=max(event.revision, 1),
        leg_no=0,
        campaign_id=event.campaign_id,
        local_hour=local_hour(began_at, event.context.local_zone),
        began_at=began_at,
        charged=event.charged,
        reached=event.reached,
        human_answer=event.human_answer,
        connected=event.connected,
        conversation=event.conversation,
    )


def of_ended(event: CallEnded) -> Contribution | None:
    """What a call's end says until the disposition comes, by disposition's own rules; nothing where no INVITE left.

    Raises ZoneUnknown.
    """
    if not event.dialled:
        return None
    began_at = event.invited_at or event.ended_at
    connected = event.end_class is EndClass.CONNECTED
    talked = (event.ended_at - event.bridged_at).total_seconds() if event.bridged_at else 0.0
    return Contribution(
        attempt_id=event.attempt_id,
        revision=0,
        leg_no=event.leg_no,
        campaign_id=event.campaign_id,
        local_hour=local_hour(began_at, event.context.local_zone),
        began_at=began_at,
        charged=True,
        reached=event.alerting_at is not None or event.answered_at is not None,
        human_answer=connected or event.verdict in PERSON,
        connected=connected,
        conversation=connected and talked >= CONVERSATION_SECONDS,
    )


def out_of_range(began_at: datetime, now: datetime) -> bool:
    """No window takes it any more, or yet."""
    return not now - KEPT <= began_at <= now + AHEAD


def changes(known: Contribution | None, new: Contribution) -> Mapping[Window, Counts]:
    """What differs in which window once `new` is the latest word; nothing when it is not, or says the same."""
    if not new.replaces(known):
        return {}
    found = dict.fromkeys(_windows(new), new.counts)
    for window in _windows(known) if known is not None else ():
        assert known is not None
        found[window] = found.get(window, Counts()).plus(known.counts, -1)
    return {window: counts for window, counts in found.items() if counts != Counts()}


def next_revision(known: int, now: datetime) -> int:
    """Greater than `known`, and than any that was given before `now`: a window rebuilt from the topics goes on above.

    Microseconds since 1970 where the clock allows.
    """
    return max(known + 1, (now - EPOCH) // timedelta(microseconds=1))


def rates(counts: Counts) -> dict[str, float | None]:
    """Numerator by denominator, to four places; None over nothing (formats.md, Words)."""
    parts = {
        "reach_rate": (counts.reached, counts.attempts),
        "answer_rate": (counts.human_answers, counts.attempts),
        "connect_rate": (counts.connects, counts.attempts),
        "conversation_rate": (counts.conversations, counts.connects),
    }
    return {name: round(part / whole, 4) if whole else None for name, (part, whole) in parts.items()}


def record_of(state: WindowState) -> ConnectRateWindow:
    """As it is published."""
    window = state.window
    return ConnectRateWindow(
        slice=window.slice,
        window_id=window.window_id,
        campaign_id=window.campaign_id,
        local_hour=window.local_hour,
        window_seconds=window.seconds,
        window_start=window.start,
        window_end=window.end,
        revision=state.revision,
        **{name: getattr(state.counts, name) for name in COUNTED},
    )


def _windows(contribution: Contribution) -> Iterable[Window]:
    for seconds in SIZES_SECONDS:
        size = timedelta(seconds=seconds)
        yield Window(
            campaign_id=contribution.campaign_id,
            local_hour=contribution.local_hour,
            seconds=seconds,
            start=EPOCH + (contribution.began_at - EPOCH) // size * size,
        )
