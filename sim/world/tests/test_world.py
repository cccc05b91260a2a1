"""The world itself: one seed is one history, faults of every kind are survived, and a failure is told shortly."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from outdial_world.chance import Draws
from outdial_world.cli import main
from outdial_world.faults import ALL, MOST, NO_FAULTS, Choice, Fault, plan
from outdial_world.history import RIVAL, FaultEvent, History
from outdial_world.loop import START, LoopClock, NothingLeft, WorldLoop, run
from outdial_world.runner import Finding, Outcome, run_seed
from outdial_world.shrink import Shrinking
from outdial_world.story import story

from outdial_contracts.events import CallDial, ClearanceClosed

DIGEST = """
from outdial_world.faults import Choice
from outdial_world.runner import run_seed
print(run_seed({}, Choice())[0].digest)
"""
PROCESS_SECONDS = 240


def digest_in_process(seed: int, hash_seed: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", DIGEST.format(seed)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_one_seed_is_one_history_whatever_strings_hash_to() -> None:
    processes = [digest_in_process(3, "1"), digest_in_process(3, "4242")]
    found = [process.communicate(timeout=PROCESS_SECONDS)[0].strip() for process in processes]
    assert found[0] == found[1]
    assert len(found[0]) == 64


def test_campaign_hour_without_faults_comes_to_rest_and_holds_every_invariant() -> None:
    outcome, history = run_seed(2, NO_FAULTS)
    assert history is not None
    assert outcome.findings == []
    assert history.drained
    assert not history.crashed
    assert len({event.attempt_id for event in history.events(CallDial)}) > 100
    assert len(list(history.events(ClearanceClosed))) >= 150


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(ALL))
def test_each_kind_of_fault_happens_and_is_survived(kind: Fault) -> None:
    seed = next(s for s in range(1, 99) if kind not in MOST or plan(Draws(s), Choice(kinds=frozenset({kind}))))
    outcome, history = run_seed(seed, Choice(kinds=frozenset({kind})))
    assert history is not None
    caused = {Fault.CRASH} if kind is Fault.RESTORE else set()  # whose database goes back, goes down
    assert {fault.kind for fault in history.faults} - caused == {kind}
    assert outcome.findings == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_five_seeds_with_every_fault_hold_every_invariant() -> None:
    assert main(["--seeds", "25", "--first-seed", "1000", "--jobs", "2"]) == 0


def test_a_rival_of_a_gateway_sometimes_comes_first_and_is_granted_alone() -> None:
    outcome, history = run_seed(2, Choice(kinds=frozenset({Fault.RIVAL_REDEEM})))
    assert history is not None
    assert outcome.findings == []
    granted = [(rpc.request.attempt_id, rpc.caller) for rpc in history.rpcs if rpc.granted]
    rivals = {rpc.request.attempt_id for rpc in history.rpcs if rpc.caller == RIVAL}
    won = {attempt_id for attempt_id, caller in granted if caller == RIVAL}
    assert rivals > won > set()
    assert not won & {attempt_id for attempt_id, caller in granted if caller != RIVAL}
    assert not won & {invite.attempt_id for invite in history.invites}


def test_an_occurrence_left_out_leaves_all_others_as_they_are() -> None:
    for seed in range(20):
        whole = plan(Draws(seed), Choice())
        for gone in whole:
            left = plan(Draws(seed), Choice(without=frozenset({gone.number})))
            assert left == [occurrence for occurrence in whole if occurrence.number != gone.number]


def test_time_jumps_and_clock_and_sleep_agree() -> None:
    async def sleep(loop: WorldLoop) -> tuple[float, timedelta]:
        clock = LoopClock(loop)
        await asyncio.sleep(3600.0)
        return loop.time(), clock.now() - START

    assert run(sleep) == (3600.0, timedelta(hours=1))


def test_a_deadlock_is_an_error_and_no_hang() -> None:
    async def wait_for_nobody(loop: WorldLoop) -> None:
        await loop.create_future()

    with pytest.raises(NothingLeft):
        run(wait_for_nobody)


def history_with(*numbers: str) -> History:
    faults = [
        FaultEvent(seq=n, number=number, kind=number.partition(":")[0], at=START)
        for n, number in enumerate(numbers, start=1)
    ]
    return History(seed=1, started_at=START, ended_at=START, drained=True, faults=faults)


def test_a_failure_is_shrunk_to_the_faults_that_it_needs() -> None:
    planned = ["crash:0", "crash:1", "crash:2", "delay:0", "stop:0", "stop:1"]

    def fake(seed: int, choice: Choice) -> tuple[Outcome, History]:
        happened = [n for n in planned if choice.allows(Fault(n.partition(":")[0]), n)]
        broken = "crash:1" in happened and "stop:0" in happened
        findings = [Finding(name="planted", detail="planted")] if broken else []
        return Outcome(seed=seed, findings=findings), history_with(*happened)

    shrunk = Shrinking(1, "planted", lambda text: None, fake).shrink(Choice())
    assert shrunk is not None
    assert [fault.number for fault in shrunk.history.faults] == ["crash:1", "stop:0"]
    assert shrunk.choice.kinds == {Fault.CRASH, Fault.STOP}


def test_the_story_of_an_attempt_is_in_order_of_time_and_holds_no_number() -> None:
    _, history = run_seed(5, NO_FAULTS)
    assert history is not None
    invite = history.invites[10]
    told = story(history, invite.attempt_id)
    assert [line[:12] for line in told] == sorted(line[:12] for line in told)
    for word in ("lead.ready", "compliance.cleared", "call.dial", "INVITE", "clearance.closed", "call.disposition"):
        assert any(word in line for line in told), word
    assert not any(number in line for line in told for number in history.persons)
