"""`outdial suspension` asks the gate in the gate's words, and says in one line what it answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outdial_cli.__main__ import app
from outdial_cli.stack.layout import Addresses, StackState, save

ROW = {
    "suspension_id": "s1",
    "region": "US-NY",
    "source": "Executive Order 28",
    "entered_by": "ops",
    "changed_by": "ops",
    "starts_at": "2026-11-17T15:00:00+00:00",
    "ends_at": None,
    "changed_at": "2026-11-17T15:00:00+00:00",
}


class Gate:
    """Answers like the gate and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answer: tuple[int, Any] = (200, ROW)
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._take(None)

            def do_POST(self) -> None:
                self._take(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def _take(self, body: Any) -> None:
                gate.asked.append((self.command, self.path, body))
                status, answer = gate.answer
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def said(gate: Gate, tmp_path: Path) -> Any:
    """Runs a command against it: (exit code, stdout, stderr)."""
    addresses = Addresses(
        http_ports={"compliance-gate": gate.server.server_port}, grpc_ports={}, agent_sip_port=0, trunk_sip_port=0,
        rtp_ports="20000-20001", carrier_sip_port=0, carrier_control_port=0,
    )  # fmt: skip
    state = StackState(
        pid=1, bootstrap="", collector_url="", topic_prefix="", addresses=addresses, started_at=time.time(),
        clock_start=None,
    )  # fmt: skip
    (tmp_path / "up").mkdir()
    save(tmp_path / "up", state)

    def run(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["suspension", *words, "--data-dir", str(tmp_path)])
        return done.exit_code, done.stdout, done.stderr

    return run


def test_declaration_says_only_what_was_given(gate: Gate, said: Any) -> None:
    code, out, _ = said("declare", "US-NY", "--source", "Executive Order 28", "--by", "ops")
    assert gate.asked == [
        ("POST", "/v1/suspensions", {"region": "US-NY", "source": "Executive Order 28", "entered_by": "ops"})
    ]
    line = "s1  US-NY  from 2026-11-17T15:00:00+00:00 until it is lifted  (Executive Order 28)\n"
    assert (code, out) == (0, line)


def test_lifting_names_who_does_it(gate: Gate, said: Any) -> None:
    assert said("lift", "s1", "--by", "chief", "--until", "2026-11-18T00:00:00Z")[0] == 0
    body = {"lifted_by": "chief", "ends_at": "2026-11-18T00:00:00Z"}
    assert gate.asked == [("POST", "/v1/suspensions/s1/lift", body)]


def test_list_shows_what_is_in_force(gate: Gate, said: Any) -> None:
    gate.answer = (200, {"suspensions": [{**ROW, "in_force": True}, {**ROW, "in_force": False}]})
    assert [line.split("  ")[0] for line in said("list")[1].splitlines()] == ["in force", "not in force"]
    gate.answer = (200, {"suspensions": []})
    assert said("list")[1] == "no state of emergency was ever declared here\n"


def test_refusal_is_one_line_and_exit_code_two(gate: Gate, said: Any) -> None:
    gate.answer = (422, {"detail": "region: want a country or region that a pack knows, for example US-NY"})
    code, out, err = said("declare", "Narnia", "--source", "x")
    assert (code, out) == (2, "")
    assert err == "outdial: region: want a country or region that a pack knows, for example US-NY\n"
