"""`outdial up` and `outdial down` as real processes: serves, refuses a second run, leaves nothing running."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from campaign_run import EXAMPLES, ROOT, wait_for
from commands.console_script import OUTDIAL, Outdial

from outdial_cli.stack.layout import SERVICES, load

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
CACHE = ROOT / ".outdial" / "cache"
UP_SECONDS = 150.0


@pytest.fixture
def outdial(tmp_path: Path) -> Outdial:
    """A data dir of its own that shares the repository's cache of jars."""
    CACHE.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").symlink_to(CACHE)
    return Outdial(tmp_path)


@pytest.fixture
def up(outdial: Outdial) -> Iterator[subprocess.Popen[str]]:
    """`outdial up` with the simulated world, until it says so."""
    words = ["up", "--data-dir", str(outdial.data_dir), "--clock-start", "2026-11-17T15:00:00Z"]
    world = ["--world", str(EXAMPLES / "scenario.yaml")]
    log = outdial.data_dir / "up.log"
    with log.open("w") as out:
        process = subprocess.Popen([OUTDIAL, *words, *world], stdout=out, stderr=out, cwd=ROOT, text=True)
    try:
        wait_for(
            lambda: "up; Ctrl-C" in log.read_text() or process.poll() is not None, f"`outdial up`: {log}", UP_SECONDS
        )
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(120)


def test_up_serves_until_down_and_nothing_is_left_running(outdial: Outdial, up: subprocess.Popen[str]) -> None:
    state = load(outdial.data_dir / "up")
    assert state.pid == up.pid
    for service in SERVICES:
        assert httpx.get(f"{state.addresses.url(service)}/readyz", timeout=5).status_code == 200
    assert outdial.at("campaign", "apply", EXAMPLES / "campaign.yaml").out == "spring-renewal version 1\n"

    second = outdial.at("up")
    assert "in use by process" in second.err
    assert second.code == 2
    assert load(outdial.data_dir / "up").pid == up.pid
    assert (outdial.data_dir / "up" / "carrier.jsonl").exists()

    family = descendants(up.pid)
    assert len(family) >= len(SERVICES) + 4, "Kafka, PostgreSQL, carrier and agents too"
    started = time.monotonic()
    down = subprocess.Popen([OUTDIAL, "down", "--data-dir", str(outdial.data_dir)], stdout=subprocess.PIPE, text=True)
    assert up.wait(90) == 0
    said, _ = down.communicate(timeout=30)
    assert (down.returncode, said) == (0, "down\n")
    wait_for(lambda: not alive(family), "the end of every process of the stack", 10)
    print(f"shown: down after {time.monotonic() - started:.1f} s; {len(family)} processes gone")
    assert "outdial up" in outdial.at("down").problem
    assert list((outdial.data_dir / "up" / "pids").glob("*.pid")) == []


def test_down_never_signals_a_stranger_with_the_number_of_a_dead_stack(outdial: Outdial) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        folder = outdial.data_dir / "up"
        folder.mkdir()
        addresses = {
            **dict.fromkeys(("agent_sip_port", "trunk_sip_port", "carrier_sip_port", "carrier_control_port"), 1),
            **{"http_ports": {}, "grpc_ports": {}, "rtp_ports": "20000-21999"},
        }
        state = {"pid": stranger.pid, "bootstrap": "", "collector_url": "", "topic_prefix": "", "addresses": addresses}
        (folder / "stack.json").write_text(json.dumps({**state, "started_at": 0.0, "clock_start": None}))
        assert "ended without a word" in outdial.at("down").problem
        assert stranger.poll() is None
        assert "no stack runs" in outdial.at("down").problem
    finally:
        stranger.kill()
        stranger.wait()


def descendants(pid: int) -> dict[int, int]:
    """pid -> start time in ticks of every process below `pid`."""
    parents: dict[int, tuple[int, int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1]), int(fields[19])
    found: dict[int, int] = {}
    fresh = {pid}
    while fresh:
        fresh = {child for child, (parent, _) in parents.items() if parent in fresh}
        found |= {child: parents[child][1] for child in fresh}
    return found


def alive(family: dict[int, int]) -> list[int]:
    """Those of the family that still run; a zombie does not."""
    return [pid for pid, ticks in family.items() if (f := stat(pid)) and f[0] != "Z" and int(f[19]) == ticks]


def stat(pid: int) -> list[str]:
    """/proc/PID/stat from the state on; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
