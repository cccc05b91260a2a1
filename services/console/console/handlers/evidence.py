"""One evidence page per attempt for a regulator: what was known, which rules spoke, when, and what the ledger holds.

Tokens and ids only: the address from which a consent was given stays at the gate.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from console.domain.sources import Source
from console.handlers.asking import Gathered
from console.handlers.deps import Deps
from console.handlers.html import Markup, code, join, link, moment, page, pairs, table, tag, trouble
from outdial_runtime.service import Answer, Request

NOT_ADVICE = (
    "Not legal advice: an engineering reading of public rules. Counsel must review every rule pack before a deployer "
    "relies on it."
)
HIDDEN = frozenset({"ip", "text_sha256"})
"""Fields of a consent that get no line: the first names a person's device, the second gets its own row."""


async def on_evidence(request: Request, deps: Deps) -> Answer:
    """GET /attempts/{attempt_id}/evidence."""
    attempt_id, gathered = request.path["attempt_id"], Gathered()
    found = await gathered.get(deps.sources, Source.GATE, f"/v1/evidence/{attempt_id}")
    if found is None:
        text = " ".join(gathered.away) or "The gate never decided such an offer."
        return trouble(503 if gathered.away else 404, "No evidence", text, deps)
    return page(f"Evidence {attempt_id}", _body(attempt_id, found), deps, here="/attempts")


def _body(attempt_id: str, found: Mapping[str, Any]) -> Markup:
    decision, facts = found["decision"], found["facts"]
    return tag(
        "article",
        tag("h1", "Evidence of attempt ", code(attempt_id)),
        tag("p", link(f"/attempts/{attempt_id}", "Timeline of this attempt"), class_="screen-only"),
        tag("p", NOT_ADVICE, class_="aside"),
        tag("h2", "Decision"),
        pairs(_decision(decision)),
        tag("h2", "Facts"),
        pairs((_name(key), _value(key, value)) for key, value in facts.items()),
        tag("h2", "Times"),
        _times(found.get("times", [])),
        tag("h2", "Rules"),
        _rules(decision),
        tag("h2", "Consent"),
        *_consents(found["consents"]),
        tag("h2", "Do not call"),
        _suppressions(found["suppressions"]),
        tag("h2", "Last look before each INVITE"),
        _redemptions(found["redemptions"]),
        tag("h2", "Outcome"),
        pairs(_outcome(found)),
        tag("h2", "Ledger"),
        _ledger(found["ledger"]),
        _inclusion(found.get("inclusion", [])),
        class_="evidence",
    )


def _decision(decision: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    yield "Decision", "cleared" if decision["allowed"] else "blocked"
    yield "Decided", moment(decision["at"])
    if decision["allowed"]:
        yield "Clearance expires", moment(decision["expires_at"])
        yield "Allowed modes", ", ".join(decision["allowed_modes"])
        yield "May play a recording", "yes" if decision["may_play_recording"] else "no"
        yield "Recording rule", decision["recording_rule"]
    else:
        yield "Reasons", ", ".join(decision["reasons"])
        yield "Next allowed", moment(decision["next_allowed_at"])
    yield "Rule pack", code(decision["rule_pack"])
    if decision.get("tzdata"):
        yield "Time zones (tzdata)", code(decision["tzdata"])
    yield "Ledger record", code(decision["ledger_record"])


def _rules(decision: Mapping[str, Any]) -> Markup:
    """The rows that could have blocked it, or those that did."""
    if not decision["allowed"]:
        sources = {rule["rule_id"]: rule["citation"] for rule in decision.get("rules", [])}
        rows = [(code(rule_id), sources.get(rule_id)) for rule_id in decision["rule_ids"]]
        return table("Rules that blocked it", ("Rule", "Source"), rows, empty="No single rule: see the reasons.")
    rows = [(code(rule["rule_id"]), rule["citation"]) for rule in decision["rules"]]
    caption = "Rules that applied, and that it passed"
    return table(caption, ("Rule", "Source"), rows, empty="No rule of the pack applies to such an offer.")


def _times(times: list[Mapping[str, Any]]) -> Markup:
    rows = [(one["what"], moment(one["utc"]), one["local"], one["zone"]) for one in times]
    return table("In UTC and in the callee's zone", ("What", "UTC", "Local", "Zone"), rows, empty="No times were told.")


def _inclusion(proofs: list[Mapping[str, Any]]) -> Markup:
    rows = [
        (
            code(one["record"]),
            f"{signed['seq']} records" if (signed := one["checkpoint"]) else "none yet",
            code(signed["root"]) if signed else None,
            f"key {signed['key_id']}" if signed else None,
            ("holds" if one["included"] and one["signature_holds"] else "DOES NOT HOLD") if signed else None,
        )
        for one in proofs
    ]
    heads = ("Record", "Checkpoint over", "Root", "Signed by", "Audit path and signature")
    return table("Proof in signed checkpoints", heads, rows, empty="No record is proven.")


def _consents(consents: list[Mapping[str, Any]]) -> Iterable[Markup]:
    if not consents:
        yield tag("p", "No consent was given with the lead.", class_="empty")
    for number, consent in enumerate(consents, 1):
        yield tag("h3", f"Consent {number}")
        rows = [(_name(key), _value(key, value)) for key, value in consent.items() if key not in HIDDEN]
        yield pairs([*rows, ("SHA-256 of the text shown", code(consent["text_sha256"]))])


def _suppressions(suppressions: list[Mapping[str, Any]]) -> Markup:
    rows = [(_seller(one["seller_id"]), moment(one["requested_at"])) for one in suppressions]
    empty = "No do-not-call request of this person or number is known now."
    return table("Requests in force now", ("Seller", "Requested"), rows, empty=empty)


def _redemptions(redemptions: list[Mapping[str, Any]]) -> Markup:
    rows = [
        (
            one["leg_no"],
            "granted" if one["granted"] else "refused",
            moment(one["at"]),
            ", ".join((*one["reasons"], *one["rule_ids"])) or None,
            code(one["ledger_record"]),
        )
        for one in redemptions
    ]
    heads = ("Leg", "Answer", "At", "Reasons and rules", "Ledger record")
    return table("Redemptions", heads, rows, empty="It was never redeemed: no INVITE was allowed.")


def _outcome(found: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    yield "Clearance", str(found["closed"]["state"]).lower()
    yield "Closed", moment(found["closed"]["at"])
    outcome = found["outcome"]
    if outcome is None:
        yield "Counts in the caps", "not yet disposed"
        return
    yield "Counts in the caps", "yes" if outcome["charged"] else "no"
    yield "Counted as", ", ".join(outcome["rule_outcomes"]) or None
    yield "Mode", outcome["mode"]
    yield "Revision", outcome["revision"]


def _ledger(records: list[Mapping[str, Any]]) -> Markup:
    rows = [
        (
            f"{record['seq']}",
            record["kind"].lower(),
            moment(record["body"].get("at")),
            tag("div", code(record["chain_id"]), tag("p", "hash ", code(record["hash"]), class_="hash")),
            tag("pre", json.dumps(record["body"], indent=1, sort_keys=True)),
        )
        for record in records
    ]
    note = join(
        (
            "Each record's hash covers the record before it. To verify the chains without us: ",
            code("compliance-gate ledger verify EXPORT.jsonl --jwks FILE"),
        )
    )
    heads = ("Sequence", "Kind", "At", "Chain and hash", "Record")
    return join(
        (table("Ledger records", heads, rows, empty="The ledger has no record."), tag("p", note, class_="aside"))
    )


def _name(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _value(key: str, value: Any) -> object:
    if key.endswith("_at"):
        return moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or None
    return code(value) if key.endswith(("_id", "_token")) and value else value


def _seller(seller_id: str) -> str:
    return "every seller" if seller_id == "*" else seller_id
