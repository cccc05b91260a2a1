"""Children: readiness, the end in every way, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from outdial_cli.embedded.guard import registered
from outdial_cli.embedded.process import Child, ChildFailed, ChildSpec, accepts, answers, free_ports

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)
PARENT_OF_ONE = """
import subprocess, sys, time
one = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(one.pid, flush=True)
time.sleep(60)
"""


def spec(tmp_path: Path, code: str, **more: object) -> ChildSpec:
    command = (sys.executable, "-c", code)
    return ChildSpec(name="one", command=command, log_path=tmp_path / "one.log", **more)  # type: ignore[arg-type]


def log_has(tmp_path: Path, text: str = "\n") -> bool:
    return text in (tmp_path / "one.log").read_text()


def is_gone(pid: int) -> bool:
    """Gone or a zombie that nobody of ours reaps."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until_gone(pid: int, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not is_gone(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_gone(pid)


def test_child_that_ends_before_it_is_ready_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, "print('no such port'); raise SystemExit(3)", ready=lambda: False))
    with pytest.raises(ChildFailed, match=r"(?s)one ended with 3.*no such port"):
        child.start()
    assert not child.running


def test_child_that_is_never_ready_is_not_left_running(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, SLEEP, ready=lambda: False, ready_timeout_seconds=0.2))
    with pytest.raises(ChildFailed, match="not ready within"):
        child.start()
    assert not child.running
    assert child.exit_code == -signal.SIGKILL


def test_command_that_does_not_exist_is_a_failed_child(tmp_path: Path) -> None:
    child = Child(ChildSpec(name="ghost", command=("/no/such/program",), log_path=tmp_path / "ghost.log"))
    with pytest.raises(ChildFailed, match="ghost cannot be run"):
        child.start()


def test_child_deaf_to_sigterm_is_killed_after_the_timeout(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, STUBBORN, ready=lambda: log_has(tmp_path, "deaf")))
    child.start()
    assert child.stop(timeout_seconds=0.3) == -signal.SIGKILL


def test_restart_is_a_new_process_and_second_start_is_refused(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, SLEEP))
    child.start()
    first = child.pid
    with pytest.raises(RuntimeError, match="already running"):
        child.start()
    child.restart()
    assert child.running
    assert child.pid != first
    assert child.stop() == -signal.SIGTERM
    assert child.stop() == -signal.SIGTERM


def test_kill_reaches_the_childs_own_children(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, PARENT_OF_ONE, ready=lambda: log_has(tmp_path)))
    child.start()
    grandchild = int((tmp_path / "one.log").read_text())
    child.kill()
    assert wait_until_gone(grandchild)


def test_end_of_a_child_takes_what_it_left_in_its_group(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, PARENT_OF_ONE, ready=lambda: log_has(tmp_path)))
    child.start()
    grandchild = int((tmp_path / "one.log").read_text())
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while child.running and time.monotonic() < deadline:
        time.sleep(0.02)
    assert child.exit_code == -signal.SIGKILL
    assert wait_until_gone(grandchild)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_a_parent_that_had_no_chance_to_stop_them(tmp_path: Path, end: signal.Signals) -> None:
    code = f"""
import sys, time, threading
from pathlib import Path
from outdial_cli.embedded.process import Child, ChildSpec
child = Child(ChildSpec(name="one", command=(sys.executable, "-c", {SLEEP!r}), log_path=Path({str(tmp_path / "x")!r})))
starter = threading.Thread(target=child.start)
starter.start()
starter.join()  # the thread that forked is gone: the child must not be
time.sleep(0.2)
print(child.pid if child.running else "dead", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.send_signal(end)
    assert wait_until_gone(pid)


def test_children_end_with_an_interpreter_that_just_finishes(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from outdial_cli.embedded.process import Child, ChildSpec
child = Child(ChildSpec(name="one", command=(sys.executable, "-c", {SLEEP!r}), log_path=Path({str(tmp_path / "x")!r})))
child.start()
print(child.pid)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert is_gone(int(done.stdout))


def test_guard_forgets_what_has_ended() -> None:
    assert registered(["+ 10 15\n", "+ 11 2\n", "- 10\n", "- 99\n"]) == {11: 2}


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert not any(accepts(port) for port in ports)
    assert not answers(f"http://127.0.0.1:{ports[0]}/health")
