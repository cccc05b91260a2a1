"""Several children at once: order, failure of one, unexpected ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from outdial_cli.embedded.process import Child, ChildFailed, ChildSpec
from outdial_cli.embedded.supervisor import ChildEvent, ChildState, RestartPolicy, Supervisor, sigterm_as_exit

SLEEP = "import time; time.sleep(60)"


def child(tmp_path: Path, name: str, code: str = SLEEP, ready: Callable[[], bool] | None = None) -> Child:
    return Child(
        ChildSpec(name=name, command=(sys.executable, "-c", code), log_path=tmp_path / f"{name}.log", ready=ready)
    )


def wait_for(events: list[ChildEvent], state: ChildState, count: int) -> list[ChildEvent]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [event for event in events if event.state is state]
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not {count} times {state} in {events}")


def test_children_stop_in_reverse_order_of_their_naming(tmp_path: Path) -> None:
    events: list[ChildEvent] = []
    with Supervisor([child(tmp_path, name) for name in "abc"], on_event=events.append) as supervisor:
        assert all(one.running for one in supervisor.children.values())
    assert [event.name for event in events if event.state is ChildState.STOPPED] == ["c", "b", "a"]
    assert not any(one.running for one in supervisor.children.values())
    assert ChildState.EXITED not in {event.state for event in events}


def test_one_that_fails_takes_the_others_down(tmp_path: Path) -> None:
    good, bad = child(tmp_path, "good"), child(tmp_path, "bad", "raise SystemExit(2)", ready=lambda: False)
    events: list[ChildEvent] = []
    with pytest.raises(ChildFailed, match="bad ended with 2"):
        Supervisor([good, bad], on_event=events.append).start()
    assert not good.running
    assert [(event.name, event.exit_code) for event in events if event.state is ChildState.FAILED] == [("bad", 2)]


def test_unexpected_end_is_told_and_not_repaired_without_a_policy(tmp_path: Path) -> None:
    events: list[ChildEvent] = []
    with Supervisor([child(tmp_path, "a", "raise SystemExit(7)")], on_event=events.append) as supervisor:
        (exited,) = wait_for(events, ChildState.EXITED, 1)
        assert not supervisor.children["a"].running
    assert exited.exit_code == 7


def test_policy_restarts_up_to_its_limit(tmp_path: Path) -> None:
    events: list[ChildEvent] = []
    policy = RestartPolicy(most=2, delay_seconds=0.0)
    with Supervisor([child(tmp_path, "a", "raise SystemExit(7)")], on_event=events.append, restart=policy):
        wait_for(events, ChildState.EXITED, 3)
        time.sleep(0.3)
    assert len([event for event in events if event.state is ChildState.EXITED]) == 3


def test_deliberate_kill_is_not_taken_for_an_accident(tmp_path: Path) -> None:
    events: list[ChildEvent] = []
    with Supervisor([child(tmp_path, "a")], on_event=events.append, restart=RestartPolicy()) as supervisor:
        supervisor.expect_down("a").kill()
        time.sleep(0.3)
        assert supervisor.children["a"].pid is None
        supervisor.children["a"].start()
        supervisor.expect_up("a")
    assert ChildState.EXITED not in {event.state for event in events}


def test_sigterm_unwinds_like_an_exit_and_stops_the_children(tmp_path: Path) -> None:
    one = child(tmp_path, "a")

    def run() -> None:
        with sigterm_as_exit(), Supervisor([one]):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == 143
    assert not one.running


def test_restarts_wait_longer_each_time_and_begin_anew_after_a_good_while(tmp_path: Path) -> None:
    at: list[float] = []
    policy = RestartPolicy(most=None, delay_seconds=0.2, longest_delay_seconds=0.4)
    one = child(tmp_path, "a", "raise SystemExit(7)")

    def on_event(event: ChildEvent) -> None:
        if event.state is ChildState.STARTING:
            at.append(time.monotonic())

    with Supervisor([one], on_event=on_event, restart=policy):
        deadline = time.monotonic() + 20
        while len(at) < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
    waits = [later - earlier for earlier, later in pairwise(at[:5])]
    assert len(waits) == 4
    assert waits[0] >= 0.2
    assert all(wait >= 0.4 for wait in waits[1:])


def test_one_that_takes_long_to_start_again_does_not_hold_up_another(tmp_path: Path) -> None:
    events: list[ChildEvent] = []
    gate = threading.Event()
    slow, quick = child(tmp_path, "slow", ready=lambda: slow.pid == first or gate.is_set()), child(tmp_path, "quick")
    for one in (slow, quick):
        one.spawn()
    first = slow.pid
    supervisor = Supervisor([slow, quick], on_event=events.append, restart=RestartPolicy(delay_seconds=0.0))
    supervisor.adopt()
    try:
        slow.send_signal(signal.SIGKILL)
        wait_for(events, ChildState.EXITED, 1)
        quick.send_signal(signal.SIGKILL)
        (ready,) = wait_for(events, ChildState.READY, 1)
        assert ready.name == "quick"
    finally:
        gate.set()
        supervisor.stop()


def test_adopted_child_is_kept_up_until_it_is_let_go(tmp_path: Path) -> None:
    events: list[ChildEvent] = []
    one = child(tmp_path, "a")
    one.start()
    supervisor = Supervisor([one], on_event=events.append, restart=RestartPolicy(delay_seconds=0.0))
    supervisor.adopt()
    try:
        one.send_signal(signal.SIGKILL)
        wait_for(events, ChildState.READY, 1)
        supervisor.let_go()
        one.send_signal(signal.SIGKILL)
        time.sleep(0.5)
        assert not one.running
    finally:
        supervisor.stop()


def test_held_child_stays_down_until_it_is_expected_up(tmp_path: Path) -> None:
    events: list[ChildEvent] = []
    policy = RestartPolicy(most=None, delay_seconds=0.0)
    with Supervisor([child(tmp_path, "a")], on_event=events.append, restart=policy) as supervisor:
        supervisor.expect_down("a").kill()
        time.sleep(0.4)
        assert not supervisor.children["a"].running
        supervisor.expect_up("a")
        wait_for(events, ChildState.READY, 2)
        assert supervisor.children["a"].running
