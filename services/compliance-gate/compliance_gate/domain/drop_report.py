"""The month's report of a seller: every limb of the safe harbour (47 CFR 64.1200(a)(7)) with its figures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from compliance_gate.domain.drop_budget import Terms
from compliance_gate.domain.drop_counts import LEAST_RING, Slot, Tally, total
from compliance_gate.domain.drop_limits import DropLimits, LegalCampaign, Window
from compliance_gate.domain.ledger import Record, RecordKind

NOT_LEGAL_ADVICE = "Not legal advice: an engineering reading of public rules; counsel must review every rule pack."
OVERRIDES = frozenset(
    {
        RecordKind.STATE,
        RecordKind.STOP,
        RecordKind.SUSPENSION,
        RecordKind.DROP_LIMIT,
        RecordKind.RESTORE_LOCK,
        RecordKind.RESTORE_UNLOCK,
    }
)


@dataclass(frozen=True, kw_only=True)
class Month:
    """A calendar month of UTC."""

    first: date
    after: date

    @classmethod
    def read(cls, text: str) -> Month:
        """From YYYY-MM. Raises ValueError, which names the shape."""
        try:
            first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
        except ValueError:
            raise ValueError("month: want YYYY-MM") from None
        return cls(first=first, after=(first + timedelta(days=31)).replace(day=1))

    @property
    def span(self) -> tuple[datetime, datetime]:
        """First instant, and the first after it."""
        window = Window(first=self.first, after=self.after)
        return window.starts_at, window.ends_at


@dataclass(frozen=True, kw_only=True)
class Request:
    """A do-not-call request."""

    source: str
    requested_at: datetime
    in_force_at: datetime


@dataclass(frozen=True, kw_only=True)
class Signed:
    """The checkpoints of a chain within a span of time."""

    chain_id: str
    checkpoints: int
    last_seq: int
    last_head: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the report is made of; `days` reach a longest window beyond the month on both sides."""

    days: Mapping[Slot, Tally]
    firsts: Mapping[tuple[LegalCampaign, str], date]
    terms: Sequence[Terms]
    """As published now."""
    requests: Sequence[Request]
    rare: Sequence[Record]
    signed: Sequence[Signed]


def compliance_report(seller_id: str, month: Month, law: DropLimits, sources: Sources, now: datetime) -> dict[str, Any]:
    """The report as JSON knows it; a rate always stands beside its numerator and denominator."""
    records = [(record, json.loads(record.body)) for record in sources.rare]
    in_month = {s: t for s, t in sources.days.items() if month.first <= s.day < month.after}
    starts, ends = month.span
    return {
        "not_legal_advice": NOT_LEGAL_ADVICE,
        "seller_id": seller_id,
        "month": f"{month.first:%Y-%m}",
        "made_at": now.isoformat(),
        "complete": now >= ends,
        "drop_limits": law.version,
        "windows": _windows(month, law, sources, now),
        "days": _days(in_month),
        "safe_harbour": _limbs(total(in_month.values())),
        "dnc_requests": _requests(sources.requests),
        "lists": _lists(records, starts, ends),
        "rule_packs": _packs(records, starts, ends),
        "overrides": _overrides(_within(records, starts, ends), seller_id),
        "checkpoints": [_chain(signed) for signed in sources.signed],
    }


def _windows(month: Month, law: DropLimits, sources: Sources, now: datetime) -> list[dict[str, Any]]:
    """Each legal window that the month touches, whole, also the part of it beyond the month."""
    asked = {terms.campaign: terms.limit for terms in sources.terms}
    found = []
    for (campaign, jurisdiction), first in sorted(
        sources.firsts.items(), key=lambda item: (item[0][0].key, item[0][1])
    ):
        row = law.of(jurisdiction)
        limit = min(row.limit, asked.get(campaign, row.limit))
        mine = [
            (slot.day, tally)
            for slot, tally in sources.days.items()
            if slot.campaign == campaign and slot.jurisdiction == jurisdiction
        ]
        for window in sorted({row.window(first, day) for day, _ in mine}, key=lambda w: w.first):
            if window.after <= month.first or window.first >= month.after:
                continue
            tally = total(tally for day, tally in mine if window.holds(day))
            found.append(_window(campaign, jurisdiction, window, limit, tally, now) | {"citation": row.citation})
    return found


def _window(
    campaign: LegalCampaign, jurisdiction: str, window: Window, limit: float, tally: Tally, now: datetime
) -> dict[str, Any]:
    return {
        "legal_campaign": campaign.key,
        "jurisdiction": jurisdiction,
        "starts_at": window.starts_at.isoformat(),
        "ends_at": window.ends_at.isoformat(),
        "over": now >= window.ends_at,
        "humans": tally.humans,
        "abandoned": tally.abandoned,
        "machine_hangups": tally.machine_hangups,
        "machine_sample": _sample(tally),
        "machine_people_estimated": round(tally.machine_people, 4) if tally.sampled else None,
        "rate": None if tally.rate is None else round(tally.rate, 6),
        "limit": limit,
        "within_limit": tally.rate is None or tally.rate <= limit,
        "left_calls": round(tally.left(limit), 4),
    }


def _sample(tally: Tally) -> dict[str, int] | str:
    return {"drawn": tally.sampled, "people": tally.sampled_humans} if tally.sampled else "no sample"


def _days(days: Mapping[Slot, Tally]) -> list[dict[str, Any]]:
    by_day: dict[date, Tally] = defaultdict(Tally)
    for slot, tally in days.items():
        by_day[slot.day] += tally
    return [
        {
            "day": day.isoformat(),
            "humans": tally.humans,
            "abandoned": tally.abandoned,
            "machine_people_estimated": round(tally.machine_people, 4) if tally.sampled else None,
            "rate": None if tally.rate is None else round(tally.rate, 6),
        }
        for day, tally in sorted(by_day.items())
    ]


def _limbs(tally: Tally) -> dict[str, Any]:
    """The limbs beside the rate, over the month."""
    return {
        "message": {
            "rule": "abandoned calls get the recorded message within 2 s of the greeting's end",
            "abandoned": tally.abandoned,
            "message_began": tally.messages,
            "without_message": tally.abandoned - tally.messages,
        },
        "ring": {
            "rule": f"an unanswered call rings {LEAST_RING.seconds} s or more",
            "given_up": tally.given_up,
            "sooner": tally.short_rings,
            "kept": tally.short_rings == 0,
        },
        "records": {"rule": "records that establish it are kept", "kept_in": "the ledger; see checkpoints"},
    }


def _requests(requests: Sequence[Request]) -> dict[str, Any]:
    """Time to honour: from the request to its being in force everywhere."""
    seconds = sorted(max((r.in_force_at - r.requested_at).total_seconds(), 0.0) for r in requests)
    sources: dict[str, int] = defaultdict(int)
    for request in requests:
        sources[request.source] += 1
    return {
        "requests": len(requests),
        "by_source": dict(sorted(sources.items())),
        "seconds_to_honour": {
            "median": seconds[len(seconds) // 2] if seconds else None,
            "longest": seconds[-1] if seconds else None,
        },
    }


Told = tuple[Record, Mapping[str, Any]]


def _within(records: Iterable[Told], starts: datetime, ends: datetime) -> list[Told]:
    return [(r, body) for r, body in records if starts <= _at(body) < ends]


def _at(body: Mapping[str, Any]) -> datetime:
    """When it was recorded; a record without a time is older than any month."""
    at = body.get("at")
    return datetime.fromisoformat(at) if isinstance(at, str) else datetime.min.replace(tzinfo=UTC)


def _lists(records: Sequence[Told], starts: datetime, ends: datetime) -> list[dict[str, Any]]:
    """Copies of external lists that were in force at some time of the month, in the order they came into force."""
    copies: list[tuple[datetime, Mapping[str, Any]]] = []
    for record, body in records:
        if record.kind is RecordKind.LIST:
            copies.append((_at(body), body))
        elif record.kind is RecordKind.GENESIS:
            copies += [(_at(body), one) for one in (body.get("lists") or {}).values()]
    copies.sort(key=lambda pair: pair[0])
    before = {body["list"]: (at, body) for at, body in copies if at < starts}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for at, body in [*before.values(), *((at, b) for at, b in copies if starts <= at < ends)]:
        told = {"list": body["list"], "as_of": body["as_of"], "sha256": body.get("sha256"), "taken_up": at.isoformat()}
        found.setdefault((body["list"], body["as_of"]), told)
    return list(found.values())


def _packs(records: Sequence[Told], starts: datetime, ends: datetime) -> list[dict[str, Any]]:
    """Rule packs and time zones of the boots that decided in the month: of the last before it, and of each since."""
    boots = sorted(((_at(b), b) for r, b in records if r.kind is RecordKind.GENESIS), key=lambda pair: pair[0])
    used = [pair for pair in boots if pair[0] < starts][-1:] + [pair for pair in boots if starts <= pair[0] < ends]
    found = {
        (b.get("rule_pack"), b.get("tzdata")): {
            "rule_pack": b.get("rule_pack"),
            "tzdata": b.get("tzdata"),
            "last_boot_at": at.isoformat(),
        }
        for at, b in used
        if b.get("rule_pack")
    }
    return list(found.values())


def _overrides(records: Iterable[Told], seller_id: str) -> list[dict[str, Any]]:
    """Each once: every boot writes down anew what it finds in force."""
    found: dict[str, dict[str, Any]] = {}
    for record, body in records:
        if _is_override(record, body, seller_id):
            what = json.dumps([record.kind.value, {k: v for k, v in body.items() if k != "at"}], sort_keys=True)
            found.setdefault(what, {"record": record.name, "kind": record.kind.value, **body})
    return list(found.values())


def _is_override(record: Record, body: Mapping[str, Any], seller_id: str) -> bool:
    """What people changed; a drop limit only of this seller."""
    if record.kind is RecordKind.DROP_LIMIT:
        return str(body.get("legal_campaign", "")).startswith(f"{seller_id}/")
    return record.kind in OVERRIDES


def _chain(signed: Signed) -> dict[str, Any]:
    return {
        "chain_id": signed.chain_id,
        "checkpoints": signed.checkpoints,
        "last_seq": signed.last_seq,
        "last_head": signed.last_head,
        "first_at": signed.first_at.isoformat(),
        "last_at": signed.last_at.isoformat(),
    }
