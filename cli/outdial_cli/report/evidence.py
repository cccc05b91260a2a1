"""`outdial evidence`: the gate's evidence of one attempt as one page, for a terminal or a browser and its printer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:.25rem .5rem;text-align:left;
vertical-align:top;overflow-wrap:anywhere}h2{margin:1.6rem 0 .4rem}.advice{font-style:italic}
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}}"""


@dataclass(frozen=True)
class Section:
    """A heading and its table; without rows its `empty` sentence."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str = "None."


def evidence_text(found: Mapping[str, Any]) -> str:
    """For a terminal."""
    lines = [found["not_legal_advice"], "", f"Evidence of attempt {found['attempt_id']}"]
    for section in sections(found):
        lines += ["", section.title]
        lines += [_line(section, row) for row in section.rows] or [f"  {section.empty}"]
    return "\n".join(lines)


def evidence_page(found: Mapping[str, Any]) -> str:
    """For a browser: one file that runs nothing and fetches nothing."""
    title = f"Evidence of attempt {found['attempt_id']}"
    body = "".join(map(_table, sections(found)))
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    advice = f"<p class=advice>{escape(found['not_legal_advice'])}</p>"
    return (
        f"<!doctype html><html lang=en><head>{head}</head><body><h1>{escape(title)}</h1>{advice}{body}</body></html>\n"
    )


def sections(found: Mapping[str, Any]) -> Iterator[Section]:
    """What the page says, in its order."""
    decision = found["decision"]
    plain = {key: value for key, value in decision.items() if key not in ("rules", "rule_ids")}
    yield Section("Decision", ("", ""), _pairs(plain))
    heads = ("what", "UTC", "callee's local time", "zone")
    yield Section("Times", heads, [_cells(t, "what", "utc", "local", "zone") for t in found["times"]])
    yield Section("Facts", ("", ""), _pairs(found["facts"]))
    title = "Rules that applied, and that it passed" if decision["allowed"] else "Rules that blocked it"
    rules = [_cells(r, "rule_id", "citation", "basis", "confidence", "rule_pack") for r in decision["rules"]]
    yield Section(title, ("rule", "source", "basis", "confidence", "pack"), rules)
    consents = [row for consent in found["consents"] for row in _pairs(consent)]
    yield Section("Consent and its proof", ("", ""), consents, "No consent was given with the lead.")
    suppressions = [_cells(s, "seller_id", "requested_at") for s in found["suppressions"]]
    yield Section("Do-not-call requests in force now", ("seller", "requested"), suppressions)
    looks = [_cells(r, "leg_no", "granted", "at", "reasons", "rule_ids", "ledger_record") for r in found["redemptions"]]
    never = "It was never redeemed: no INVITE was allowed."
    yield Section("Last look before each INVITE", ("leg", "granted", "at", "reasons", "rules", "record"), looks, never)
    yield Section("Outcome", ("", ""), _pairs({**found["closed"], **(found["outcome"] or {})}))
    records = [_cells(r, "kind", "chain_id", "seq", "hash", "previous", "body") for r in found["ledger"]]
    yield Section("Ledger records", ("kind", "chain", "seq", "hash", "before it", "content"), records)
    proven = ("record", "in the tree of", "signed by", "audit path (RFC 6962)", "holds")
    yield Section("Inclusion in signed checkpoints", proven, [_inclusion(one) for one in found["inclusion"]])


def _inclusion(one: Mapping[str, Any]) -> tuple[str, ...]:
    signed = one["checkpoint"]
    if signed is None:
        return (one["record"], "no checkpoint yet; one is signed every 5 s", "-", "-", "-")
    tree = f"{signed['chain_id']}, {signed['seq']} records, root {signed['root']}"
    holds = one["included"] and one["signature_holds"]
    key = f"{signed['key_id']}: {signed['signature']}"
    return (one["record"], tree, key, " ".join(one["audit_path"]) or "none: the tree is one record", _word(holds))


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(name.replace("_", " "), _word(value)) for name, value in values.items()]


def _cells(values: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(_word(values.get(name)) for name in names)


def _word(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_word, value))
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else str(value)


def _line(section: Section, row: tuple[str, ...]) -> str:
    if section.heads == ("", ""):
        return f"  {row[0]}: {row[1]}"
    return "  " + "\n    ".join(f"{head}: {cell}" for head, cell in zip(section.heads, row, strict=True))


def _table(section: Section) -> str:
    title = f"<h2>{escape(section.title)}</h2>"
    if not section.rows:
        return f"{title}<p>{escape(section.empty)}</p>"
    heads = "".join(f"<th>{escape(head)}</th>" for head in section.heads) if any(section.heads) else ""
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows)
    return f"{title}<table>{f'<tr>{heads}</tr>' if heads else ''}{rows}</table>"
