"""The books: every identity can fail, and says which one it is."""

from __future__ import annotations

from typing import Any

import pytest

from outdial_cli.report.books import broken_identities
from outdial_cli.report.facts import carrier_calls
from outdial_cli.report.figures import agent_utilisation, lines_per_agent, percentiles

HOOKS = {"missing": 0, "unexpected": 0, "taken_twice": 0, "forged": 0}
BALANCED: dict[str, Any] = {
    "rows": 12,
    "leads": 10,
    "rejected": {"BAD_NUMBER": 2},
    "offers": 10,
    "blocked_total": 3,
    "cleared": 7,
    "redeemed": 5,
    "refused": 1,
    "lapsed": 1,
    "invites_seen_by_carrier": 4,
    "redeemed_without_invite": [{"attempt_id": "a", "closed_as": "NOT_DIALLED"}],
    "dispositions": {"BUSY": 4, "NOT_DIALLED": 1},
    "humans_answered": 2,
    "connected": 1,
    "abandoned": 1,
    "hung_up_as_machine": 0,
    "hung_up_first": 0,
    "duplicate_invites": 0,
    "attempts_without_disposition": 0,
    "invites_without_redemption": 0,
    "closed_twice": 0,
    "traces": {"unexplained": {}},
    "ledger": {"verified": True},
    "ledger_altered_byte": {"found": True},
    "invites_while_gate_away": 0,
    "invites_after_gate_back": 3,
    "kills": [{"service": "compliance-gate"}],
    "opt_out": {"planned": True, "attempt_id": "b", "refused_at_last_look": True},
    "webhooks": HOOKS,
}


def test_balanced_books_break_nothing() -> None:
    assert broken_identities(BALANCED) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rows": 13}, "rows = leads + rejected"),
        ({"blocked_total": 4}, "offers = blocked_total + cleared"),
        ({"lapsed": 2}, "cleared = redeemed + refused + lapsed"),
        ({"invites_seen_by_carrier": 5}, "redeemed = invites_seen_by_carrier + redeemed_without_invite"),
        ({"dispositions": {"BUSY": 4}}, "redeemed = sum of dispositions"),
        ({"hung_up_first": 1}, "humans_answered = connected + abandoned + hung_up_as_machine + hung_up_first"),
        ({"duplicate_invites": 1}, "duplicate_invites = 0"),
        ({"attempts_without_disposition": 1}, "attempts_without_disposition = 0"),
        ({"invites_without_redemption": 1}, "every INVITE was redeemed first"),
        ({"closed_twice": 1}, "one clearance.closed per cleared offer"),
        ({"traces": {"unexplained": {"a": "pacer"}}}, "traces complete but for those a kill touched"),
        ({"ledger": {"verified": False}}, "the ledger verifies"),
        ({"ledger_altered_byte": {"found": False}}, "one altered ledger byte is found"),
        ({"invites_while_gate_away": 1}, "no INVITE while the gate is away"),
        ({"invites_after_gate_back": 0}, "dialing goes on after the gate is back"),
        (
            {"opt_out": {"planned": True, "attempt_id": "b", "refused_at_last_look": False}},
            "a queued person who opts out is refused",
        ),
        (
            {"opt_out": {"planned": True, "attempt_id": None, "refused_at_last_look": False}},
            "a queued person who opts out is refused",
        ),
        ({"webhooks": {**HOOKS, "missing": 1}}, "every disposition and lead state reached the CRM, verified"),
        ({"webhooks": {**HOOKS, "unexpected": 1}}, "the CRM was told nothing that did not happen"),
        ({"webhooks": {**HOOKS, "taken_twice": 1}}, "the CRM took each webhook once"),
        ({"webhooks": {**HOOKS, "forged": 1}}, "no webhook was forged"),
    ],
)
def test_each_broken_identity_is_named(change: dict[str, Any], named: str) -> None:
    assert broken_identities({**BALANCED, **change}) == [named]


def test_a_run_too_short_for_its_opt_out_breaks_nothing() -> None:
    opted = {"planned": False, "attempt_id": None, "refused_at_last_look": False}
    assert broken_identities({**BALANCED, "opt_out": opted}) == []


def test_carrier_call_begins_with_an_invite_of_a_new_call_id() -> None:
    lines = [
        {"t": 0.5, "dir": "in", "call_id": "stray.1@h", "method": "BYE"},
        {
            "t": 1.0,
            "dir": "in",
            "call_id": "a.1@h",
            "method": "INVITE",
            "cseq_method": "INVITE",
            "callee_kind": "human",
        },
        {"t": 1.1, "dir": "out", "call_id": "a.1@h", "status": 407, "cseq_method": "INVITE"},
        {"t": 1.2, "dir": "in", "call_id": "a.1@h", "method": "INVITE", "cseq_method": "INVITE"},
        {"t": 2.0, "dir": "out", "call_id": "a.1@h", "status": 180, "cseq_method": "INVITE"},
        {"t": 3.0, "dir": "out", "call_id": "a.1@h", "status": 200, "cseq_method": "INVITE"},
        {"t": 4.0, "dir": "out", "call_id": "a.1@h", "status": 200, "cseq_method": "BYE"},
        {"t": 9.0, "event": "call_over", "call_id": "a.1@h"},
    ]
    (call,) = carrier_calls(lines)
    assert (call.attempt_id, call.kind, call.invited_at) == ("a", "human", 1.0)
    assert (call.rang, call.answered_at, call.ended_at) == (True, 3.0, 9.0)


def test_percentiles_need_twenty_samples() -> None:
    assert percentiles([1.0] * 19) is None
    assert percentiles([float(n) for n in range(100)]) == {"n": 100, "p50": 50.0, "p99": 99.0}


def test_utilisation_leaves_out_pauses_and_what_lies_outside_the_window() -> None:
    log = [
        {"event": "state", "agent_id": "a", "t": 0.0, "state": "paused"},
        {"event": "state", "agent_id": "a", "t": 10.0, "state": "available"},
        {"event": "state", "agent_id": "a", "t": 20.0, "state": "talking"},
        {"event": "state", "agent_id": "a", "t": 40.0, "state": "wrapup"},
        {"event": "state", "agent_id": "a", "t": 50.0, "state": "available"},
        {"event": "state", "agent_id": "a", "t": 60.0, "state": "signed_out"},
    ]
    assert agent_utilisation(log, (0.0, 100.0)) == 0.6
    assert agent_utilisation(log, (20.0, 40.0)) == 1.0
    assert agent_utilisation([], (0.0, 1.0)) is None


def test_lines_per_agent_counts_only_the_window() -> None:
    log = [{"event": "state", "agent_id": "a", "t": 0.0, "state": "available"}]
    calls = carrier_calls(
        [
            {"t": 0.0, "call_id": "a.1@h", "method": "INVITE", "dir": "in"},
            {"t": 30.0, "call_id": "a.1@h", "event": "call_over"},
        ]
    )
    assert lines_per_agent(calls, log, (10.0, 20.0)) == 1.0
    assert lines_per_agent(calls, log, (20.0, 40.0)) == 0.5
