"""Recounting journals: what counts as a duplicate, a human, and concurrent calls."""

import json
from pathlib import Path
from typing import Any

from outdial_sim.cli import run
from outdial_sim.config import Config
from outdial_sim.journal import Journal, read
from outdial_sim.recount import attempt_of, count
from outdial_sim.shifts import count_shifts

CONFIG = Config.from_env({})


def call(name: str, kind: str, *steps: tuple[float, int | str]) -> list[dict[str, Any]]:
    """Lines of one call: statuses sent, or events."""
    lines: list[dict[str, Any]] = []
    for t, step in steps:
        line: dict[str, Any] = {"t": t, "call_id": f"{name}@host", "callee_kind": kind}
        if isinstance(step, int):
            line |= {"dir": "out", "status": step, "cseq_method": "INVITE"}
        else:
            line |= {"event": step}
        lines.append(line)
    return lines


def test_the_attempt_is_what_stands_before_the_leg_number() -> None:
    assert attempt_of("11111111-2222.2@host") == "11111111-2222"
    assert attempt_of("foreign@host") == "foreign"


def test_a_second_leg_after_a_failure_before_ringing_is_no_duplicate() -> None:
    lines = call("a.1", "human", (0.0, "initial_invite"), (0.1, 503), (0.1, "call_over"))
    lines += call("a.2", "human", (0.5, "initial_invite"), (0.6, 180), (2.0, 200), (9.0, "call_over"))
    result = count(lines)
    assert (result.attempts, result.initial_invites, result.duplicate_invites, result.rang_twice) == (1, 2, 0, 0)


def test_a_second_leg_after_ringing_is_a_duplicate_and_the_phone_rang_twice() -> None:
    lines = call("a.1", "human", (0.0, "initial_invite"), (0.1, 180), (1.0, 487), (1.0, "call_over"))
    lines += call("a.2", "human", (1.5, "initial_invite"), (1.6, 180))
    result = count(lines)
    assert (result.duplicate_invites, result.rang_twice) == (1, 1)


def test_a_phone_that_rings_on_two_legs_at_once_rang_twice() -> None:
    lines = call("a.1", "human", (0.0, "initial_invite")) + call("a.2", "human", (0.1, "initial_invite"))
    lines += call("a.1", "human", (0.2, 180)) + call("a.2", "human", (0.3, 180))
    assert count(lines).rang_twice == 1


def test_humans_are_people_and_machines_are_not() -> None:
    lines = []
    for place, kind in enumerate(["human", "hangup", "voicemail", "dead_air"]):
        lines += call(f"{place}.1", kind, (0.0, "initial_invite"), (1.0, 200))
    result = count(lines)
    assert (result.humans_answered, result.answered) == (2, 4)
    assert result.answered_by_kind == {"dead_air": 1, "hangup": 1, "human": 1, "voicemail": 1}


def test_a_challenge_neither_ends_nor_starts_a_call() -> None:
    lines = call("a.1", "human", (0.0, "initial_invite"), (0.0, 407), (0.1, 100), (0.2, 180), (1.0, 200))
    lines += call("b.1", "busy", (0.0, "initial_invite"), (0.0, 407))
    result = count(lines)
    assert result.finals == {"200": 1, "None": 1}
    assert result.max_concurrent == 1


def test_concurrent_calls_overlap_and_touching_ones_do_not() -> None:
    lines = call("a.1", "human", (0.0, "initial_invite"), (0.0, 100), (5.0, "call_over"))
    lines += call("b.1", "human", (1.0, "initial_invite"), (1.0, 100), (6.0, "call_over"))
    lines += call("c.1", "human", (6.0, "initial_invite"), (6.0, 100), (7.0, "call_over"))
    assert count(lines).max_concurrent == 2


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.write(1.0, event="initial_invite", nothing=None)
    path.write_text(path.read_text() + '{"t": 2.0, "ev')
    assert read(path) == [{"t": 1.0, "event": "initial_invite"}]


def test_utilisation_is_talk_and_wrap_over_unpaused_time() -> None:
    steps = [(0, "paused"), (10, "available"), (20, "talking"), (40, "wrapup"), (50, "available"), (60, "signed_out")]
    lines: list[dict[str, Any]] = [
        {"t": t, "event": "state", "agent_id": "a", "state": state} for t, state in [*steps, (100, "signed_out")]
    ]
    result = count_shifts(lines)
    assert (result.signed_in_seconds, result.paused_seconds) == (60, 10)
    assert result.utilisation == 0.6


def test_the_command_prints_json(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "carrier.jsonl"
    lines = call("a.1", "human", (0.0, "initial_invite"), (1.0, 200))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run(["recount", str(path), "--json"], CONFIG) == 0
    assert json.loads(capsys.readouterr().out)["humans_answered"] == 1
