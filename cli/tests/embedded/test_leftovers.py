"""A data folder has one owner, and what a dead owner left is ended, never a stranger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from outdial_cli.embedded.leftovers import DataDirInUse, DirectoryLock, end_leftovers, write

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_second_owner_is_refused_and_told_the_first(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    first.acquire()
    with pytest.raises(DataDirInUse, match=f"in use by process {os.getpid()}"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_leftover_of_an_earlier_run_is_ended_and_named(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        write(tmp_path / "kafka.pid", process.pid)
        assert end_leftovers(tmp_path) == ["kafka"]
        assert process.wait(5) != 0
    assert list(tmp_path.glob("*.pid")) == []


@pytest.mark.parametrize("changed", [{"start_ticks": 1}, {"command": ["another"]}])
def test_stranger_with_the_same_pid_is_left_alone(tmp_path: Path, changed: dict[str, object]) -> None:
    with subprocess.Popen(SLEEPER, start_new_session=True) as process:
        path = tmp_path / "kafka.pid"
        write(path, process.pid)
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
        assert end_leftovers(tmp_path) == []
        assert process.poll() is None
        process.kill()
    assert not path.exists()


def test_pid_file_cut_short_by_a_crash_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kafka.pid").write_text("")
    assert end_leftovers(tmp_path) == []
    assert not (tmp_path / "kafka.pid").exists()
