"""A call into a C library that never returns ends the service instead of leaving it dumb and ready."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from outdial_runtime.bounded_calls import BoundedCalls, CallHangs

HANGS = """
import asyncio, threading
from outdial_runtime.bounded_calls import BoundedCalls, CallHangs

async def main():
    try:
        await BoundedCalls("x").run(threading.Event().wait, 0.1)
    except CallHangs:
        print("hangs", flush=True)

asyncio.run(main())
"""


async def test_call_gives_its_result_or_its_error() -> None:
    calls = BoundedCalls("test")
    assert await calls.run(lambda: 7, 5) == 7
    with pytest.raises(ValueError, match="no"):
        await calls.run(_refuse, 5)
    calls.close()


async def test_call_that_hangs_is_given_up_and_so_is_every_later_one() -> None:
    calls, release = BoundedCalls("test"), threading.Event()
    with pytest.raises(CallHangs):
        await calls.run(release.wait, 0.05)
    with pytest.raises(CallHangs):
        await asyncio.wait_for(calls.run(lambda: 7, 60), 5)
    release.set()
    calls.close()


async def test_late_return_of_a_given_up_call_changes_nothing() -> None:
    calls, release = BoundedCalls("test"), threading.Event()
    with pytest.raises(CallHangs):
        await calls.run(release.wait, 0.05)
    release.set()
    calls.close()
    await asyncio.sleep(0.1)


def test_hanging_call_does_not_hold_up_the_end_of_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "hangs")


def _refuse() -> None:
    raise ValueError("no")
