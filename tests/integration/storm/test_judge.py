"""The judge of storms finds what it is there to find: one broken thing at a time in a run that was clean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.storm.judge import judge
from tests.integration.stranger import broken

PHONE, NATIONAL = "+12125550123", "2125550123"
Run = dict[str, list[dict[str, Any]]]


def invite(t: float, attempt: str, number: str = PHONE, leg: int = 1) -> list[dict[str, Any]]:
    call_id = f"{attempt}.{leg}@127.0.0.1"
    return [
        {"t": t, "dir": "in", "call_id": call_id, "method": "INVITE", "cseq_method": "INVITE"},
        {"t": t, "event": "initial_invite", "call_id": call_id, "to": number},
        {"t": t + 1, "dir": "out", "call_id": call_id, "status": 180, "cseq_method": "INVITE"},
    ]


def event(topic: str, attempt: str, ce_id: str, **more: Any) -> dict[str, Any]:
    return {"topic": topic, "ce_id": ce_id, "value": {"attempt_id": attempt, "campaign_id": "storm-1", **more}}


def clean() -> Run:
    """One attempt, one fault that shuts the gate, one opt-out after the call."""
    fault = {"kind": "SIGKILL compliance-gate", "live_calls": 7, "shuts": True, "injected_at": 200.0}
    fault |= {"healing_at": 210.0, "ready_seconds": 3.0, "invite_seconds": 4.0}
    return {
        "carrier": invite(100.0, "a"),
        "events": [
            event("compliance.cleared", "a", "1"),
            event("clearance.closed", "a", "2", outcome="REDEEMED"),
            event("call.disposition", "a", "3", revision=1),
        ],
        "faults": [fault],
        "opt_outs": [{"phone": PHONE, "person_id": "p", "acknowledged_at": 150.0}],
        "agents": [],
        "dead": [],
    }


def judged(folder: Path, run: Run, log: str = "", *, drained: bool = True) -> list[str]:
    for name, rows in run.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "leads.csv").write_text(f"lead_id,phone\nL1,{PHONE}\n")
    (folder / "logs").mkdir()
    (folder / "logs" / "pacer.log").write_text(log)
    about = {"campaign_id": "storm-1", "live_calls_at_least": 5, "drained": drained, "open": "1 offer undecided"}
    (folder / "run.json").write_text(json.dumps(about))
    return broken(judge(folder))


def test_clean_run_breaks_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path, clean()) == []


def dialled_unasked(run: Run) -> None:
    run["carrier"] += invite(120.0, "b", "+12125550199")


def rung_twice(run: Run) -> None:
    run["carrier"] += invite(120.0, "a", leg=2)


def closed_twice(run: Run) -> None:
    run["events"].append(event("clearance.closed", "a", "4", outcome="LAPSED"))


def never_closed(run: Run) -> None:
    run["events"].append(event("compliance.cleared", "c", "5"))


def never_disposed(run: Run) -> None:
    del run["events"][2]


def disposed_twice(run: Run) -> None:
    run["events"].append(event("call.disposition", "a", "6", revision=1))


def disposed_otherwise_under_the_same_id(run: Run) -> None:
    run["events"].append(event("call.disposition", "a", "3", revision=1, code="BUSY"))


def dialled_after_opt_out(run: Run) -> None:
    run["opt_outs"][0]["acknowledged_at"] = 99.0


def dialled_after_an_agent_heard_no(run: Run) -> None:
    run["agents"] = [{"t": 110.0, "event": "wrapped_up", "attempt_id": "a", "code": "DNC_REQUESTED"}]
    run["carrier"] += invite(120.0, "b")
    run["events"].append(event("clearance.closed", "b", "7", outcome="REDEEMED"))


def dialled_while_shut(run: Run) -> None:
    run["faults"][0] |= {"injected_at": 95.0, "healing_at": 105.0}


def dead_letter(run: Run) -> None:
    run["dead"] = [{"topic": "call.ended.dead", "reason": "MALFORMED"}]


def few_calls(run: Run) -> None:
    run["faults"][0]["live_calls"] = 4


def no_recovery(run: Run) -> None:
    run["faults"][0]["invite_seconds"] = None


BREAKS: list[tuple[Callable[[Run], None], str]] = [
    (dialled_unasked, "invited_without_redemption"),
    (rung_twice, "duplicate_invites"),
    (closed_twice, "closed_twice"),
    (never_closed, "cleared_without_closed"),
    (never_disposed, "redeemed_without_disposition"),
    (disposed_twice, "disposed_twice"),
    (disposed_otherwise_under_the_same_id, "dispositions_that_disagree"),
    (dialled_after_opt_out, "dialled_after_opt_out"),
    (dialled_after_an_agent_heard_no, "dialled_after_opt_out"),
    (dialled_while_shut, "dialled_while_shut"),
    (dead_letter, "dead_letters"),
    (few_calls, "too_few_live_calls"),
    (no_recovery, "never_recovered"),
]


@pytest.mark.parametrize("breaks, name", BREAKS, ids=[breaks.__name__ for breaks, _ in BREAKS])
def test_what_is_broken_is_found(tmp_path: Path, breaks: Callable[[Run], None], name: str) -> None:
    run = clean()
    breaks(run)
    assert name in judged(tmp_path, run)


@pytest.mark.parametrize("log", [f"dialled {PHONE}", f"n={NATIONAL};", "call to 212-555-0123 failed"])
def test_number_in_a_log_is_found(tmp_path: Path, log: str) -> None:
    assert judged(tmp_path, clean(), log) == ["numbers_in_logs"]


def test_digits_within_a_longer_number_are_no_phone_number(tmp_path: Path) -> None:
    assert judged(tmp_path, clean(), f"span 9{NATIONAL}7") == []


def test_run_that_never_drained_is_broken(tmp_path: Path) -> None:
    assert judged(tmp_path, clean(), drained=False) == ["never_drained"]


def test_same_record_twice_is_counted_and_allowed(tmp_path: Path) -> None:
    run = clean()
    run["events"].append(run["events"][2])
    assert judged(tmp_path, run) == []
    assert judge(tmp_path)["disposition_records_repeated"] == 1


def test_other_campaigns_of_the_stack_do_not_count(tmp_path: Path) -> None:
    run = clean()
    run["events"].append(
        {"topic": "compliance.cleared", "ce_id": "9", "value": {"attempt_id": "z", "campaign_id": "x"}}
    )
    assert judged(tmp_path, run) == []


def test_record_that_is_no_event_is_somebody_elses_bad_input(tmp_path: Path) -> None:
    run = clean()
    run["events"].append({"topic": "call.ended", "ce_id": "4", "value": None})
    assert judged(tmp_path, run) == []
