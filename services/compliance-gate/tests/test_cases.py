"""The rules as the rule pack's own cases see them, the command that decides them, and the tools for packs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from compliance_gate import cli
from compliance_gate.adapters.pack_rows import RulePackError
from compliance_gate.adapters.rule_pack import DATA, load_rule_pack
from compliance_gate.app import build_tools

CASES = Path(__file__).parents[4] / "shared" / "compliance" / "cases_dev.jsonl"
needs_cases = pytest.mark.skipif(not CASES.exists(), reason="the shared case file is not beside the repository")
CASE: dict[str, Any] = {
    "id": "one",
    "now_utc": "2026-11-17T02:00:00Z",
    "call": {
        "seller_id": "S1", "campaign_id": "C1", "topic": "T1", "purpose": "informational", "mode": "live_manual",
        "debt_id": None, "agent_guaranteed": False,
    },
    "lead": {
        "person_id": "P1", "phone": "212 555 0123", "default_region": "US", "line_type": "landline", "consumer": True,
        "address": None, "consents": [], "internal_dnc": [], "ebr": [], "rnd_disconnected_at": None,
    },
    "lists": {}, "attempts": [], "suspensions": [], "deps": {"dnc_store": "up"}, "unknown": "ignored",
}  # fmt: skip


@needs_cases
def test_every_case_of_the_rule_pack_is_decided_as_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(CASES)], build_tools()) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    cases = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    assert len(answers) == len(cases) > 500
    wrong = [answer["id"] for answer, case in zip(answers, cases, strict=True) if answer != expected(case)]
    assert wrong == []


def expected(case: dict[str, Any]) -> dict[str, Any]:
    return {"id": case["id"], **case["expected"]}


def test_a_case_from_standard_input_is_answered_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "case.jsonl"
    file.write_text("\n" + json.dumps(CASE) + "\n")
    assert cli.main(["evaluate", str(file)], build_tools()) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "id": "one",
        "decision": "block",
        "reasons": ["HOURS"],
        "rule_ids": ["US-FED-HOURS"],
        "next_allowed_utc": "2026-11-17T13:00:00Z",
    }


def test_explanation_names_rules_citations_and_the_caveat_but_no_number(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "case.jsonl"
    file.write_text(json.dumps(CASE))
    assert cli.main(["evaluate", "--explain", str(file)], build_tools()) == 0
    shown = capsys.readouterr().out
    for words in ("BLOCK", "US-FED-HOURS", "47 CFR 64.1200(c)(1)", "America/New_York", "Not legal advice", "2026.11-1"):
        assert words in shown
    assert "5550123" not in shown
    assert "555 0123" not in shown


@pytest.mark.parametrize(
    "change, words",
    [
        ({"now_utc": "2026-11-17 02:00"}, "now_utc: want YYYY-MM-DDTHH:MM:SSZ"),
        ({"call": {**CASE["call"], "purpose": "spam"}}, "call.purpose: want one of"),
        ({"lead": {**CASE["lead"], "phone": 12}}, "lead.phone: want a text"),
        ({"attempts": [{"person_id": "P1"}]}, "attempts[0].at is missing"),
        ({"lists": []}, "lists: want an object"),
    ],
)
def test_bad_line_names_line_and_field_and_never_the_value(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    file = tmp_path / "case.jsonl"
    file.write_text(json.dumps(CASE) + "\n" + json.dumps({**CASE, **change}))
    assert cli.main(["evaluate", str(file)], build_tools()) == 2
    said = capsys.readouterr().err
    assert f"line 2: {words}" in said
    assert "spam" not in said


ROW = {
    "rule_id": "XX-HOURS", "jurisdiction": "US", "hours": {"daily": ["08:00-21:00"]},
    "basis": "LAW", "confidence": "high", "citation": "a law",
}  # fmt: skip


@pytest.mark.parametrize(
    "change, words",
    [
        ({"hours": {"daily": ["8-21"]}}, "XX-HOURS: hours: want windows as HH:MM-HH:MM"),
        ({"hours": {"mon-fri": ["08:00-21:00"], "wed": ["09:00-10:00"]}}, "XX-HOURS: hours: wed comes twice"),
        ({"hours": {"daily": ["21:00-08:00"]}}, "XX-HOURS: hours: a window must open before it closes"),
        ({"purposes": ["SPAM"]}, "XX-HOURS: purposes: want one of MARKETING"),
        ({"holidays": "ZZ"}, "XX-HOURS: holidays: no holiday set 'ZZ' in this file"),
        ({"from": "soon"}, "XX-HOURS: from: want a date YYYY-MM-DD"),
        ({"citation": None}, "XX-HOURS: citation: want a text"),
        ({"hourz": 1}, "XX-HOURS: hourz: no such field here"),
        ({"jurisdiction": "Texas"}, "XX-HOURS: jurisdiction: want"),
        ({"consumers_only": True, "businesses_only": True}, "XX-HOURS: businesses_only: consumers_only is set too"),
    ],
)
def test_pack_row_with_a_wrong_field_names_file_row_and_field(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"version": "1", "windows": [{**ROW, **change}]}))
    with pytest.raises(RulePackError, match=r"mine\.yaml: ") as raised:
        load_rule_pack([file], tzdata="test")
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "content", ["version: 1\nwindow: []", "[]", "version: [", "version: 1\ncaps: [{rule_id: XX-CAP, jurisdiction: US}]"]
)
def test_pack_that_is_no_pack_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "pack.yaml"
    file.write_text(content)
    with pytest.raises(RulePackError):
        load_rule_pack([file], tzdata="test")


def test_two_rows_of_one_id_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(yaml.safe_dump({"version": "1", "windows": [ROW, ROW]}))
    with pytest.raises(RulePackError, match="XX-HOURS"):
        load_rule_pack([file], tzdata="test")


def test_deployer_replaces_a_pack_and_sees_what_would_change(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old, new, cases = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "cases.jsonl"
    old.write_text(yaml.safe_dump({"version": "1", "countries": ["US"], "windows": [ROW]}))
    longer = {**ROW, "hours": {"daily": ["08:00-22:00"]}}
    new.write_text(yaml.safe_dump({"version": "2", "countries": ["US"], "windows": [longer]}))
    cases.write_text(json.dumps(CASE))
    files = ["--old", str(old), "--new", str(new), "--cases", str(cases), "--json"]
    assert cli.main(["packs", "compare", *files], build_tools()) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == {"changed": ["XX-HOURS"]}
    assert [(case["old"]["decision"], case["new"]["decision"]) for case in found["cases"]] == [("block", "allow")]
    assert cli.main(["packs", "compare", "--old", str(old), "--new", str(old)], build_tools()) == 0


def test_shipped_packs_hold_every_row_and_say_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["packs", "check", "--json"], build_tools()) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == {
        "window": 36,
        "consent": 14,
        "cap": 12,
        "cooldown": 4,
        "list": 16,
        "recording": 21,
        "caller_id": 9,
    }
    assert found["countries"] == ["AU", "CA", "DE", "ES", "FR", "GB", "IN", "US"]
    for file in (DATA / "packs").iterdir():
        if file.name not in ("places.yaml", "house.yaml"):
            assert "Not legal advice" in file.read_text("utf-8")
