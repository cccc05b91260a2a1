"""The evidence page says all that the gate told, once as text and once as HTML, and no value of it becomes markup."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from outdial_cli.report.evidence import evidence_page, evidence_text

AT = "2026-11-17T17:00:00+00:00"


def found(**changes: Any) -> dict[str, Any]:
    signed = {"chain_id": "b.decisions", "seq": 4, "head": "aa", "root": "c0ffee", "key_id": "k1", "signature": "e.y.j"}
    rule = {"rule_id": "US-FED-HOURS", "citation": "47 CFR 64.1200(c)(1)", "basis": "LAW", "confidence": "high"}
    proof = {"checkpoint": signed, "leaf_index": 1, "audit_path": ["f00d"], "included": True, "signature_holds": True}
    whole = {
        "attempt_id": "0f8b5f3e-5a2c-5d0b-9d5e-3c1f6a7b8c9d",
        "not_legal_advice": "Not legal advice.",
        "decision": {
            "allowed": True,
            "at": AT,
            "recording_rule": "ANNOUNCE",
            "tzdata": "2026.2",
            "rules": [{**rule, "rule_pack": "us-1"}],
        },
        "times": [{"what": "decided", "utc": AT, "local": "2026-11-17T12:00:00-05:00", "zone": "America/New_York"}],
        "facts": {"campaign": "<script>alert(1)</script>/1"},
        "consents": [{"consent_id": "c1", "text_sha256": "ab" * 32, "source": "web-form"}],
        "suppressions": [],
        "redemptions": [
            {"leg_no": 1, "granted": True, "reasons": [], "rule_ids": [], "at": AT, "ledger_record": "r:2"}
        ],
        "closed": {"state": "REDEEMED", "at": AT},
        "outcome": None,
        "ledger": [
            {"kind": "DECISION", "chain_id": "b.decisions", "seq": 2, "hash": "aa", "previous": "bb", "body": {}}
        ],
        "inclusion": [{"record": "b.decisions:2", **proof}, {"record": "b.redemptions:9", "checkpoint": None}],
    }
    return {**whole, **changes}


def test_text_and_page_say_the_same_facts_sources_times_proofs_and_recording_rule() -> None:
    told = [
        "ANNOUNCE",
        "2026.2",
        "47 CFR 64.1200(c)(1)",
        "us-1",
        "2026-11-17T12:00:00-05:00",
        "America/New_York",
        "ab" * 32,
        "web-form",
        "b.decisions:2",
        "c0ffee",
        "f00d",
        "k1: e.y.j",
        "REDEEMED",
        "Not legal advice.",
        "no checkpoint yet",
    ]
    text = evidence_text(found())
    page = unescape(re.sub(r"<[^>]+>", " ", evidence_page(found())))
    assert [fact for fact in told if fact not in text] == []
    assert [fact for fact in told if fact not in page] == []


def test_no_value_is_markup_and_the_page_fetches_nothing() -> None:
    page = evidence_page(found())
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=", page)


def test_proof_that_does_not_hold_is_said() -> None:
    proofs = found()["inclusion"]
    proofs[0]["included"] = False
    assert "holds: no" in evidence_text(found(inclusion=proofs))


def test_block_names_the_rules_that_blocked_it() -> None:
    blocked = {**found()["decision"], "allowed": False, "reasons": ["HOURS"]}
    assert "Rules that blocked it" in evidence_text(found(decision=blocked))
