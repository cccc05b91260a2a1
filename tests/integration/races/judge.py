"""Judges a run of races by counting, at the clients and in the database; pure, and imports nothing of outdial's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from typing import Any

from tests.integration.races.history import History, Offered, Race, Result

CLOSING_STATES = frozenset({"REDEEMED", "REFUSED", "LAPSED"})
NEVER = float("inf")
Interval = tuple[str, float, float]
"""attempt_id, opened, ended."""


def judge(seen: History) -> dict[str, Any]:
    """Numbers, and one list per invariant: what is in a list broke it (tests.integration.stranger.broken)."""
    return {
        **_counts(seen),
        **_grants(seen),
        **_open_attempts(seen),
        **_caps(seen),
        **_opt_outs(seen),
        **_closings(seen),
    }


def _counts(seen: History) -> dict[str, Any]:
    results = Counter(answer.result for answer in seen.answers)
    return {
        "offers": len(seen.offered),
        "cleared": len(seen.cleared),
        "asked": len(seen.answers),
        "granted": len({a.attempt_id for a in seen.answers if a.result is Result.GRANTED}),
        "not granted": len(seen.answers) - results[Result.GRANTED] - results[Result.UNANSWERED],
        "tries": sum(answer.tries for answer in seen.answers),
        "invited": len(seen.invited),
        "opt-outs acknowledged": sum(one.acknowledged_at is not None for one in seen.opt_outs),
        "refused for an opt-out": sum("INTERNAL_DNC" in row.reasons for row in seen.redemptions),
        "closed": dict(sorted(Counter(seen.states.values()).items())),
        "kills": dict(sorted(Counter(seen.faults).items())),
    }


def _grants(seen: History) -> dict[str, list[str]]:
    """Who was granted what, as the clients were told."""
    nonces, told, silent = defaultdict(set), defaultdict(set), set()
    for answer in seen.answers:
        if answer.result is Result.UNANSWERED:
            silent.add(answer.attempt_id)
        else:
            told[answer.attempt_id, answer.nonce].add((answer.result, answer.reasons, answer.record))
        if answer.result is Result.GRANTED:
            nonces[answer.attempt_id].add(answer.nonce)
    fifty = {attempt for attempt, offer in seen.offered.items() if offer.race is Race.FIFTY}
    return {
        "granted_to_two": sorted(attempt for attempt, who in nonces.items() if len(who) > 1),
        "never_granted": sorted(f"{attempt}: {_why(attempt, seen)}" for attempt in fifty - nonces.keys()),
        "same_nonce_another_answer": sorted(f"{who[0]} {who[1]}" for who, answers in told.items() if len(answers) > 1),
        "unanswered": sorted(silent & _patient(seen)),
        "failed_inside": sorted(seen.failed_inside),
        **_rows_of_grants(seen, nonces.keys()),
    }


def _why(attempt_id: str, seen: History) -> str:
    reasons = {reason for a in seen.answers if a.attempt_id == attempt_id for reason in a.reasons}
    return f"{seen.states.get(attempt_id)} {' '.join(sorted(reasons))}".strip()


def _patient(seen: History) -> set[str]:
    """Attempts whose clients ask until they are answered; a gateway gives up after 250 ms, and may never learn."""
    return {attempt for attempt, offer in seen.offered.items() if offer.race is not Race.OPT_OUTS}


def _rows_of_grants(seen: History, heard: Collection[str]) -> dict[str, list[str]]:
    """The clients' grants against the rows, and the rows against the ledger."""
    rows = [row for row in seen.redemptions if row.granted]
    granted, names = {row.attempt_id for row in rows}, {(row.attempt_id, row.record) for row in rows}
    told = {(a.attempt_id, a.record) for a in seen.answers if a.result is Result.GRANTED and a.record}
    return {
        "granted_but_not_in_the_database": sorted((set(heard) - granted) | {attempt for attempt, _ in told - names}),
        "granted_in_the_database_to_nobody": sorted((granted & _patient(seen)) - set(heard)),
        "granted_twice_in_the_database": sorted(a for a, n in Counter(row.attempt_id for row in rows).items() if n > 1),
        "grant_not_in_the_ledger": sorted(a for a, record in names if seen.ledger.get(record) != a),
        "redemption_in_the_ledger_only": sorted(a for record, a in seen.ledger.items() if (a, record) not in names),
        "ledger_does_not_hold": [seen.ledger_failure] if seen.ledger_failure else [],
    }


def _open_attempts(seen: History) -> dict[str, list[str]]:
    """An attempt is open from its grant to its disposition; both ends are taken inside what the gate held open."""
    ended = {one.attempt_id: one.at for one in seen.disposed}
    heard: dict[str, float] = {}
    for answer in seen.answers:
        if answer.result is Result.GRANTED:
            heard[answer.attempt_id] = min(answer.answered_at, heard.get(answer.attempt_id, NEVER))
    at_clients = [(attempt, at, ended.get(attempt, NEVER)) for attempt, at in heard.items()]
    rows = [(row.attempt_id, row.at, ended.get(row.attempt_id, NEVER)) for row in seen.redemptions if row.granted]
    return {
        "two_open_by_clients": sorted(_overlapping(at_clients, seen.offered)),
        "two_open_by_database": sorted(_overlapping(rows, seen.offered)),
    }


def _overlapping(intervals: list[Interval], offered: Mapping[str, Offered]) -> Iterator[str]:
    for group in _sharing([attempt for attempt, _, _ in intervals], offered).values():
        times = {attempt: (start, end) for attempt, start, end in intervals if attempt in group}
        for (one, (start, end)), (other, (other_start, other_end)) in combinations(times.items(), 2):
            if start < other_end and other_start < end:
                yield f"{one} and {other}"


def _sharing(attempts: list[str], offered: Mapping[str, Offered]) -> dict[str, set[str]]:
    """Attempts of each person and of each number."""
    found: dict[str, set[str]] = defaultdict(set)
    for attempt in attempts:
        if attempt in offered:
            found[f"person {offered[attempt].person}"].add(attempt)
            found[f"number {offered[attempt].number}"].add(attempt)
    return found


def _caps(seen: History) -> dict[str, list[str]]:
    """Charged attempts of a person or number for one seller and topic, by the clients' books and by the tables."""
    unpaid = {one.attempt_id for one in seen.disposed if not one.charged}
    clients = {a.attempt_id for a in seen.answers if a.result is Result.GRANTED} - unpaid
    order = {row.attempt_id: row.at for row in seen.redemptions if row.granted}
    rows = [attempt for attempt, charged in seen.charged.items() if charged and attempt in seen.offered]
    return {
        "over_cap_by_clients": sorted(_over(clients, seen.offered)),
        "over_cap_by_database": sorted(_over_in_turn(sorted(rows, key=lambda a: order.get(a, NEVER)), seen.offered)),
        "charged_otherwise_than_told": sorted(
            one.attempt_id for one in seen.disposed if seen.charged.get(one.attempt_id) is not one.charged
        ),
    }


def _over(attempts: set[str], offered: Mapping[str, Offered]) -> Iterator[str]:
    for whose, group in _sharing(sorted(attempts), offered).items():
        books: dict[tuple[str, str], list[Offered]] = defaultdict(list)
        for attempt in group:
            books[offered[attempt].seller_id, offered[attempt].topic_id].append(offered[attempt])
        for (seller, topic), book in books.items():
            if len(book) > max(one.cap for one in book):
                yield f"{whose}: {len(book)} for {seller}/{topic}"


def _over_in_turn(attempts: list[str], offered: Mapping[str, Offered]) -> Iterator[str]:
    """In the order of their grants: those before that share the person *or* the number are below the cap."""
    before: list[Offered] = []
    for attempt in attempts:
        mine = offered[attempt]
        count = sum(
            (one.seller_id, one.topic_id) == (mine.seller_id, mine.topic_id)
            and (one.person == mine.person or one.number == mine.number)
            for one in before
        )
        if count >= mine.cap:
            yield attempt
        before.append(mine)


def _opt_outs(seen: History) -> dict[str, list[str]]:
    acknowledged = [one for one in seen.opt_outs if one.acknowledged_at is not None]
    since: dict[str, float] = {}
    for one in acknowledged:
        assert one.acknowledged_at is not None
        for who in (*(f"person {p}" for p in one.persons), *(f"number {n}" for n in one.numbers)):
            since[who] = min(one.acknowledged_at, since.get(who, NEVER))
    granted = {row.attempt_id for row in seen.redemptions if row.granted}
    offers = {invite: seen.offered[invite.attempt_id] for invite in seen.invited}
    return {
        "invited_after_the_acknowledgement": sorted(
            invite.attempt_id
            for invite, offer in offers.items()
            if invite.at > min(since.get(f"person {offer.person}", NEVER), since.get(f"number {offer.number}", NEVER))
        ),
        "invited_without_a_grant": sorted(i.attempt_id for i in seen.invited if i.attempt_id not in granted),
        "invited_twice": sorted(a for a, n in Counter(i.attempt_id for i in seen.invited).items() if n > 1),
        "never_acknowledged": sorted(one.suppression_id for one in seen.opt_outs if one.acknowledged_at is None),
        "acknowledged_but_not_in_the_database": sorted(
            one.suppression_id for one in acknowledged if one.suppression_id not in seen.suppressions
        ),
    }


def _closings(seen: History) -> dict[str, list[str]]:
    """Every offer answered once, every cleared one closed once, as its row says."""
    ids, outcomes = defaultdict(set), defaultdict(set)
    for one in seen.closed:
        ids[one.attempt_id].add(one.ce_id)
        outcomes[one.attempt_id].add(one.outcome)
    return {
        "never_decided": sorted(seen.offered.keys() - seen.cleared - seen.blocked),
        "cleared_and_blocked": sorted(seen.cleared & seen.blocked),
        "cleared_without_closed": sorted(seen.cleared - ids.keys()),
        "closed_twice": sorted(a for a in ids if len(ids[a]) > 1 or len(outcomes[a]) > 1),
        "closed_but_never_cleared": sorted(ids.keys() - seen.cleared),
        "closed_otherwise_than_the_database": sorted(a for a in ids if outcomes[a] != {seen.states.get(a)}),
        "still_reserved": sorted(a for a in seen.cleared if seen.states.get(a) not in CLOSING_STATES),
    }
