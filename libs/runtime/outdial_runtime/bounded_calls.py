"""Calls of a C library in one thread, each with a limit that holds even when the library forgets its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

Call = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class CallHangs(Exception):
    """A call did not return in time; its thread is lost, and so is whatever it worked on."""


class BoundedCalls:
    """One daemon thread, so that a call that never returns does not hold up the end of the process."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._hangs = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, call: Callable[[], Any], seconds: float) -> Any:
        """What the call returns or raises.

        Raises:
            CallHangs: not within `seconds`; every later call raises it at once.
        """
        if self._hangs:
            raise CallHangs
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._calls.put((call, loop, done))
        try:
            finished, _ = await asyncio.wait({done}, timeout=seconds)
            if not finished:
                self._hangs = True
                raise CallHangs
            return done.result()
        finally:
            done.cancel()  # of a call that nobody waits for any more; one that is done stays as it is

    def close(self) -> None:
        """The thread ends after the calls at hand; not waited for."""
        self._calls.put(None)

    def _work(self) -> None:
        while (given := self._calls.get()) is not None:
            call, loop, done = given
            try:
                result, error = call(), None
            except Exception as raised:
                result, error = None, raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, done, result, error)


def _settle(done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
