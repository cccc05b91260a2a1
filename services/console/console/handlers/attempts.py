"""Attempt search and an attempt's timeline: by attempt, lead or campaign, never by number."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from console.domain.search import Kind, sought
from console.domain.seen import SeenAttempt, Stage
from console.domain.sources import Source
from console.domain.timeline import Moment, Phase, Timeline
from console.handlers.asking import Gathered, KnownAttempt, known_attempt
from console.handlers.deps import Deps
from console.handlers.drawing import duration, gantt
from console.handlers.html import Markup, code, html, join, link, moment, page, pairs, table, tag, trouble
from outdial_contracts.identity import attempt_id as id_of_offer
from outdial_runtime.service import Answer, HttpReply, Request

SHOWN_ATTEMPTS = 100
SHOWN_OFFERS = 20
SHOWN_SPANS = 60
DWARFED = 5
"""What takes less than a fifth of the whole gets a picture of its own."""
LONGEST_SEARCH_BYTES = 400
HERE = "/attempts"
LIST_HEADS = ("Attempt", "Newest stage", "When", "Campaign", "Evidence")
REFUSED = {
    Kind.NUMBER: "That looks like a telephone number. Numbers are not searched here: they would end up in addresses "
    "and logs. Take the attempt id, the lead id or the campaign.",
    Kind.NOTHING: "Type an attempt id or a lead id (a UUID of 36 characters), or a campaign (a-z, 0-9 and hyphen).",
}


async def on_attempts(request: Request, deps: Deps) -> Answer:
    """GET /attempts: the box, and what this console saw last."""
    return _search_page(deps)


async def on_search(request: Request, deps: Deps) -> Answer:
    """POST /attempts q=: sends on to the page of what is sought; what was typed never becomes part of a URL unread."""
    wanted = sought(_typed(request.message))
    if wanted.kind is Kind.CAMPAIGN:
        return _see(f"/campaigns/{wanted.value}/attempts")
    if wanted.kind is not Kind.ID:
        return _search_page(deps, status=422, error=REFUSED[wanted.kind])
    gathered = Gathered()
    lead = await gathered.get(deps.sources, Source.LEAD_ROUTER, f"/v1/leads/{wanted.value}")
    return _see(f"/leads/{wanted.value}" if lead else f"/attempts/{wanted.value}")


async def on_attempt(request: Request, deps: Deps) -> Answer:
    """GET /attempts/{attempt_id}: its timeline, drawn and as a table."""
    attempt_id, gathered = request.path["attempt_id"], Gathered()
    if not _is_uuid(attempt_id):
        return trouble(404, "No such attempt", "An attempt id is a UUID of 36 characters.", deps)
    seen = deps.hub.board.calls.attempts.get(attempt_id)
    known = await known_attempt(attempt_id, deps.sources, seen, deps.clock_shift, gathered)
    if not known.anything:
        away = " ".join(dict.fromkeys(gathered.away))
        if away:
            return trouble(503, "Not known now", f"{away} Whether there is such an attempt can't be said.", deps)
        return trouble(404, "No such attempt", "Neither the gate nor disposition knows this attempt.", deps)
    return page(f"Attempt {attempt_id}", _attempt_body(attempt_id, known, gathered), deps, here=HERE)


async def on_lead(request: Request, deps: Deps) -> Answer:
    """GET /leads/{lead_id}: how it stands, and its newest offers."""
    lead_id, gathered = request.path["lead_id"], Gathered()
    lead = await gathered.get(deps.sources, Source.LEAD_ROUTER, f"/v1/leads/{lead_id}") if _is_uuid(lead_id) else None
    if lead is None:
        text = " ".join(gathered.away) or "lead-router knows no such lead."
        return trouble(503 if gathered.away else 404, "No such lead", text, deps)
    last = int(lead["offers"])
    ids = [id_of_offer(lead_id, number) for number in range(last, max(0, last - SHOWN_OFFERS), -1)]
    records = await asyncio.gather(
        *(gathered.get(deps.sources, Source.DISPOSITION, f"/v1/attempts/{attempt_id}") for attempt_id in ids)
    )
    rows = [_offer_row(attempt_id, record, deps) for attempt_id, record in zip(ids, records, strict=True)]
    facts = pairs(
        [
            ("Campaign", link(f"/campaigns/{lead['campaign_id']}/attempts", lead["campaign_id"])),
            ("Status", lead["status"]),
            ("Final", "yes" if lead["is_final"] else "no"),
            ("Segment", lead["segment"]),
            ("Offers", lead["offers"]),
            ("Attempts", lead["attempts"]),
            ("Last disposition", lead["last_code"]),
            ("Why not called", ", ".join(lead["block_reasons"]) or None),
            ("Due", moment(lead["due_at"])),
        ]
    )
    listed = table("Offers, the newest first", LIST_HEADS, rows, empty="It was never offered.")
    body = join((tag("h1", "Lead ", code(lead_id)), gathered.notice(), facts, tag("h2", "Attempts"), listed))
    return page(f"Lead {lead_id}", body, deps, here=HERE)


async def on_campaign_attempts(request: Request, deps: Deps) -> Answer:
    """GET /campaigns/{campaign_id}/attempts: the newest, those without a disposition first."""
    campaign_id, gathered = request.path["campaign_id"], Gathered()
    if campaign_id not in deps.hub.board.campaigns:
        return trouble(404, "No such campaign", "No campaign of this id was published.", deps)
    found = await gathered.get(deps.sources, Source.ANALYTICS, "/v1/facts", {"campaign_id": campaign_id}) or {}
    facts = list(reversed(found.get("rows", ())))[:SHOWN_ATTEMPTS]
    disposed = {row["attempt_id"] for row in facts}
    open_ones = [a for a in deps.hub.board.calls.newest(SHOWN_ATTEMPTS, campaign_id) if a.attempt_id not in disposed]
    rows = [_seen_row(a) for a in open_ones] + [_fact_row(row) for row in facts]
    ends = ", ".join(f"{name.lower()} {count}" for name, count in sorted(found.get("offer_ends", {}).items()))
    listed = table(f"Attempts of {campaign_id}, the newest first", LIST_HEADS, rows[:SHOWN_ATTEMPTS], empty="None yet.")
    note = tag("p", "Offers that never became an attempt: ", ends or "none", ".", class_="aside")
    body = join((tag("h1", "Campaign ", code(campaign_id)), gathered.notice(), note, listed))
    return page(f"Campaign {campaign_id}", body, deps, here=HERE)


def _search_page(deps: Deps, *, status: int = 200, error: str = "") -> Answer:
    described = "hint error" if error else "hint"
    fault = tag("p", error, id="error", class_="error", role="alert") if error else ""
    box = Markup(
        '<input id="q" name="q" type="search" autocomplete="off" spellcheck="false" maxlength="64" required '
        f'aria-describedby="{described}"' + (' aria-invalid="true">' if error else ">")
    )
    hint = "Attempt id, lead id, or campaign. Never a telephone number."
    form = tag(
        "form",
        tag("label", "Find attempts", for_="q"),
        tag("div", box, tag("button", "Search", type="submit"), class_="field"),
        tag("p", hint, id="hint", class_="hint"),
        fault,
        method="post",
        action=HERE,
        class_="search",
        role="search",
    )
    rows = [_seen_row(attempt) for attempt in deps.hub.board.calls.newest(25)]
    empty = "No call yet since this console started."
    listed = table("Calls this console saw last", LIST_HEADS, rows, empty=empty)
    body = join((tag("h1", "Attempts"), form, tag("h2", "Calls of late"), listed))
    return page("Attempts", body, deps, here=HERE, status=status)


def _attempt_body(attempt_id: str, known: KnownAttempt, gathered: Gathered) -> Markup:
    timeline = known.timeline
    moments = timeline.ordered()
    evidence = link(f"/attempts/{attempt_id}/evidence", "Evidence of this attempt")
    return join(
        (
            tag("h1", "Attempt ", code(attempt_id)),
            gathered.notice(),
            _summary(known),
            tag("p", evidence) if known.evidence else "",
            tag("h2", "Timeline"),
            _drawn(timeline),
            table(
                "Stages",
                ("Stage", "Service", "At", "Since the stage before", "Said"),
                _stage_rows(moments),
                empty="No stage is known.",
            ),
            _trace(known.spans),
        )
    )


def _drawn(timeline: Timeline) -> Markup:
    """The phases; those before the INVITE once more on their own scale where the call dwarfs them."""
    phases = timeline.phases()
    invited = timeline.moments.get(Stage.INVITED)
    early = [phase for phase in phases if invited is not None and phase.end <= invited.at]
    whole = gantt("What each service did, and for how long", phases, name="timeline")
    if not early or len(early) == len(phases):
        return whole
    if (early[-1].end - early[0].start) * DWARFED > phases[-1].end - phases[0].start:
        return whole
    later = gantt("What each service did during the call and after it", phases[len(early) :], name="call")
    before = gantt("What each service did before the INVITE", early, name="before")
    return join((tag("h3", "From the offer to the INVITE"), before, tag("h3", "The call"), later))


def _summary(known: KnownAttempt) -> Markup:
    said = (known.record or {}).get("said") or ()
    disposition = said[-1]["event"] if said else {}
    code_said = disposition.get("code")
    offer = _offer_end(known)
    return pairs(
        [
            ("Outcome", code_said or offer),
            ("Revision", disposition.get("revision")),
            ("Campaign", link(f"/campaigns/{known.campaign_id}/attempts", known.campaign_id)),
            ("Lead", link(f"/leads/{known.lead_id}", code(known.lead_id)) if known.lead_id else None),
            ("Agent", disposition.get("agent_id")),
            ("Route", disposition.get("route_id")),
            ("Fault", disposition.get("fault")),
            ("SIP status", disposition.get("sip_status")),
        ]
    )


def _offer_end(known: KnownAttempt) -> str:
    """What became of it before or without a disposition."""
    if known.evidence and not known.evidence["decision"]["allowed"]:
        return "blocked"
    states = {"LAPSED": "lapsed", "REFUSED": "refused at last look"}
    closed = str(known.evidence["closed"]["state"]) if known.evidence else ""
    return states.get(closed, "open")


def _stage_rows(moments: list[Moment]) -> Iterable[tuple[object, ...]]:
    earlier = None
    for one in moments:
        since = duration((one.at - earlier).total_seconds()) if earlier is not None else None
        yield one.stage.value, one.service, moment(one.at), since, one.note or None
        earlier = one.at


def _trace(spans: Iterable[Phase]) -> Markup:
    """The spans themselves, where a collector keeps them."""
    shown = list(spans)[:SHOWN_SPANS]
    if not shown:
        return Markup("")
    first = shown[0].start
    rows = [
        (span.doing, span.service, duration((span.start - first).total_seconds()), duration(span.seconds))
        for span in shown
    ]
    heads = ("Span", "Service", "Begins after", "Lasts")
    drawn = gantt("The spans of its trace", shown, name="trace")
    listed = table(f"Spans, the first {len(shown)}", heads, rows, empty="")
    return tag("details", tag("summary", f"Trace: {len(shown)} spans over all services"), drawn, listed)


def _offer_row(attempt_id: str, record: dict[str, Any] | None, deps: Deps) -> tuple[object, ...]:
    known = KnownAttempt(evidence=None, record=record, seen=deps.hub.board.calls.attempts.get(attempt_id), spans=())
    moments = known.timeline.ordered()
    if not moments:
        return _row(attempt_id, None, None, "no call")
    return _row(attempt_id, moments[-1].at, known.campaign_id, moments[-1].note or moments[-1].stage.value)


def _seen_row(attempt: SeenAttempt) -> tuple[object, ...]:
    stage, at = attempt.last
    note = attempt.notes.get(stage, "")
    return _row(attempt.attempt_id, at, attempt.campaign_id, f"{stage.value} {note}".strip())


def _fact_row(row: dict[str, Any]) -> tuple[object, ...]:
    return _row(
        row["attempt_id"],
        row["redeemed_at"] or row["ended_at"],
        row["campaign_id"],
        f"{Stage.DISPOSITION} {row['code']}",
    )


def _row(attempt_id: str, at: Any, campaign_id: str | None, stage: str) -> tuple[object, ...]:
    return (
        link(f"/attempts/{attempt_id}", code(attempt_id)),
        stage,
        moment(at),
        html(campaign_id),
        link(f"/attempts/{attempt_id}/evidence", join(("Evidence", tag("span", f" of {attempt_id}", class_="unseen")))),
    )


def _see(target: str) -> Answer:
    return Answer(reply=HttpReply(status=303, headers={"location": target, "cache-control": "no-store"}))


def _typed(body: bytes) -> str:
    """The field q of a form."""
    fields = parse_qs(body[:LONGEST_SEARCH_BYTES].decode("utf-8", "replace"))
    return fields.get("q", [""])[0]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
