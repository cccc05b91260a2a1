"""The proxy in front of the gate's replicas: spreads, passes by the dead, and lets nobody wait for one that broke."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outdial_cli.embedded.process import Child, ChildSpec, accepts, free_ports


@contextmanager
def replica(port: int, name: bytes) -> Iterator[list[socket.socket]]:
    """Answers whatever comes with its name; gives the connections it has."""
    connections: list[socket.socket] = []

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connections.append(self.request)
            while self.request.recv(100):
                self.request.sendall(name)

    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield connections
        finally:
            server.shutdown()
            thread.join()
            break_all(connections)


def break_all(connections: list[socket.socket]) -> None:
    for connection in connections:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


@pytest.fixture
def ports() -> list[int]:
    return free_ports(4)


@contextmanager
def proxy(folder: Path, port: int, *targets: int) -> Iterator[None]:
    to = ",".join(f"127.0.0.1:{target}" for target in targets)
    command = (sys.executable, "-m", "outdial_cli.stack.proxy", "--port", str(port), "--to", to)
    child = Child(ChildSpec(name="proxy", command=command, log_path=folder / "proxy.log", ready=lambda: accepts(port)))
    child.start()
    try:
        yield
    finally:
        child.stop()


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"?")
        try:
            return client.recv(100)
        except ConnectionError:
            return b""


def test_connections_go_to_replicas_in_turn_and_pass_by_a_dead_one(tmp_path: Path, ports: list[int]) -> None:
    entry, a, dead, c = ports
    with replica(a, b"a"), replica(c, b"c"), proxy(tmp_path, entry, a, dead, c):
        assert {ask(entry) for _ in range(6)} == {b"a", b"c"}


def test_client_learns_that_its_replica_broke_the_connection(tmp_path: Path, ports: list[int]) -> None:
    entry, a, *_ = ports
    with (
        replica(a, b"a") as connections,
        proxy(tmp_path, entry, a),
        socket.create_connection(("127.0.0.1", entry), 5) as client,
    ):
        client.sendall(b"?")
        assert client.recv(100) == b"a"
        break_all(connections)
        assert client.recv(100) == b""


def test_client_is_let_go_when_no_replica_lives(tmp_path: Path, ports: list[int]) -> None:
    entry, dead, *_ = ports
    with proxy(tmp_path, entry, dead):
        assert ask(entry) == b""
