"""The demo's opt-out: it goes on until a queued person's call was refused at the last look."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from outdial_cli.demo.happenings import Happenings
from outdial_contracts.events import CloseOutcome


class Picture:
    """Queued offers, newest last; each opt-out decides what becomes of the newest."""

    def __init__(self, outcomes: dict[str, CloseOutcome | None]) -> None:
        self.outcomes, self.closed = dict(outcomes), dict[str, CloseOutcome]()
        self.waiting: list[str] = []
        """Opted out and still undecided: among the queued as before."""

    def queued(self) -> list[Any]:
        return [
            SimpleNamespace(attempt_id=a, context=SimpleNamespace(lead_id=f"lead-{a}"))
            for a in [*self.outcomes, *self.waiting]
        ]

    def opt_out(self) -> None:
        attempt_id, outcome = self.outcomes.popitem()
        if outcome is None:
            self.waiting.append(attempt_id)
        else:
            self.closed[attempt_id] = outcome


@pytest.fixture
def picture() -> Picture:
    return Picture({"a": CloseOutcome.REFUSED, "b": CloseOutcome.REDEEMED, "c": CloseOutcome.LAPSED, "d": None})


@pytest.fixture
def gate(picture: Picture) -> Iterator[str]:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            picture.opt_out()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_who_lapsed_was_called_or_still_waits_is_not_the_one_who_was_refused(picture: Picture, gate: str) -> None:
    stack: Any = SimpleNamespace(addresses=SimpleNamespace(url=lambda service: gate))
    watch: Any = SimpleNamespace(picture=picture)
    said: list[str] = []
    persons = {f"lead-{name}": f"person-{name}" for name in "abcd"}
    happenings = Happenings(stack, watch, persons, said.append, settle_seconds=0.2)
    happenings.opt_out()
    assert happenings.happened.opted_out == "a"
    assert len(said) == 1
