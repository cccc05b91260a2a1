"""What a storm is made of: schedules that follow from their seed, the carrier's view, disks that run full, tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.recovery import table
from tests.integration.storm.carrier_tail import CarrierTail
from tests.integration.storm.disk import LIMIT_BYTES, SmallDisk
from tests.integration.storm.schedule import schedule


def test_seed_fixes_the_schedule_and_another_seed_makes_another() -> None:
    assert repr(schedule(7, 180)) == repr(schedule(7, 180))
    assert repr(schedule(7, 180)) != repr(schedule(8, 180))


def test_twenty_seeds_see_every_kind_of_fault() -> None:
    kinds = {
        planned.fault.kind.split(" ")[0] + " " + planned.fault.kind.split(" ")[-1]
        for seed in range(1, 21)
        for planned in schedule(seed, 180, 3 if seed % 4 == 0 else 1)
    }
    for wanted in ("SIGKILL", "SIGTERM", "SIGSTOP"):
        for service in ("lead-router", "compliance-gate", "pacer", "media-gateway", "disposition", "console"):
            assert f"{wanted} {service}" in kinds, f"{wanted} {service}"
    for node in ("kafka", "postgres"):
        assert {f"SIGKILL {node}", f"SIGSTOP {node}", f"slow {node}", f"full {node}"} <= kinds
    assert {"clock compliance-gate", "clock media-gateway", "SIGKILL burst", "partitioned hole"} <= kinds
    assert {f"rebalance {service}" for service in ("pacer", "disposition", "lead-router")} <= kinds


def test_faults_come_in_order_and_within_the_time() -> None:
    times = [planned.at for planned in schedule(3, 120)]
    assert times == sorted(times)
    assert len(times) >= 6
    assert times[-1] < 120


def test_stack_of_others_gets_no_fault_that_it_cannot_bear() -> None:
    kinds = {planned.fault.kind for seed in range(30) for planned in schedule(seed, 180, small=True)}
    assert not [kind for kind in kinds if kind.startswith(("full disk", "partitioned", "clock skew"))]


def test_calls_of_a_dead_gateway_are_not_live(tmp_path: Path) -> None:
    path = tmp_path / "carrier.jsonl"
    earlier = '{"t":1,"event":"initial_invite","call_id":"old"}\n'
    path.write_text(earlier)
    tail = CarrierTail(path, len(earlier))
    lines = [
        {"t": 10.0, "event": "initial_invite", "call_id": "a"},
        {"t": 20.0, "event": "initial_invite", "call_id": "b"},
        {"t": 21.0, "event": "initial_invite", "call_id": "c"},
        {"t": 22.0, "event": "call_over", "call_id": "c"},
    ]
    with path.open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines) + '{"t":23.0,"event":"initial_inv')
    assert tail.live() == 2
    assert tail.live(invited_after=15.0) == 1
    assert tail.first_invite_after(10.0) == 20.0
    assert tail.first_invite_after(21.0) is None
    with path.open("a") as file:
        file.write('ite","call_id":"d"}\n')
    assert tail.first_invite_after(21.0) == 23.0


def test_full_disk_takes_not_a_byte_until_space_comes_back(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk")
    disk.mount()
    try:
        writer = [
            sys.executable,
            "-c",
            f"import sys; sys.stdin.read(1); open('x', 'wb').write(b'x' * {LIMIT_BYTES + 1})",
        ]
        fills, fits = (_start(writer, tmp_path / "disk") for _ in range(2))
        disk.fill([fills.pid])
        assert fills.communicate(b"1", timeout=20)[0] is None
        assert fills.returncode != 0
        disk.free()
        fits.communicate(b"1", timeout=20)
        assert fits.returncode == 0
    finally:
        disk.unmount()


def _start(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)


def test_table_gives_median_and_maximum_and_names_what_never_came_back() -> None:
    rows = [
        {"kind": "SIGKILL pacer", "live_calls": 6 + i, "ready_seconds": r, "invite_seconds": v}
        for i, (r, v) in enumerate([(1.0, 2.0), (2.0, 4.0), (9.0, None)])
    ]
    again = {**rows[0], "kind": "SIGKILL pacer-2", "replicas": 3}
    *_, one, several = table([*rows, again, {**again, "kind": "SIGKILL pacer"}]).splitlines()
    assert several == "| SIGKILL pacer, 3 of each service | 2 | 6 | 1.0 | 1.0 | 2.0 | 2.0 |"
    assert one == "| SIGKILL pacer | 3 | 6 | 2.0 | 9.0 | 3.0 | never (1) |"
