"""Where a stack keeps its files and who listens where; saved as stack.json so that other commands find it."""

from __future__ import annotations

import json
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

SERVICES = ("lead-router", "compliance-gate", "pacer", "media-gateway", "disposition", "analytics", "console")
STACK_FILE = "stack.json"
SECRETS_FILE = "secrets.json"


class NoStack(Exception):
    """No stack runs under this folder."""


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """host:port and URLs of everything that listens."""

    http_ports: dict[str, int]
    """service -> HTTP port on 127.0.0.1."""
    grpc_ports: dict[str, int]
    agent_sip_port: int
    trunk_sip_port: int
    rtp_ports: str
    carrier_sip_port: int
    carrier_control_port: int

    def url(self, service: str) -> str:
        """Base URL of a service's HTTP."""
        return f"http://127.0.0.1:{self.http_ports[service]}"

    def grpc(self, service: str) -> str:
        """rpc address of a service."""
        return f"127.0.0.1:{self.grpc_ports[service]}"


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Made anew for every stack; never leave the machine."""

    token_keys: str
    agent_secret: str
    trunk_password: str


@dataclass(frozen=True, kw_only=True)
class StackState:
    """What stack.json holds."""

    pid: int
    bootstrap: str
    collector_url: str
    topic_prefix: str
    addresses: Addresses
    started_at: float
    clock_start: str | None
    notes: dict[str, str] = field(default_factory=dict)


def save(folder: Path, state: StackState) -> None:
    """Writes stack.json."""
    (folder / STACK_FILE).write_text(json.dumps(asdict(state), indent=2))


def load(folder: Path) -> StackState:
    """Reads stack.json. Raises NoStack."""
    path = folder / STACK_FILE
    if not path.exists():
        raise NoStack(f"no stack runs under {folder}; start one with `outdial up`")
    raw = json.loads(path.read_text())
    return StackState(**{**raw, "addresses": Addresses(**raw["addresses"])})


def free_ports(count: int, kind: int = socket.SOCK_STREAM) -> list[int]:
    """Ports nobody listens on now; all are held until the last is found, so that none comes twice."""
    sockets = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def new_addresses(rtp_ports: str = "20000-21999") -> Addresses:
    """Free ports for a new stack."""
    tcp = free_ports(2 * len(SERVICES) + 1)
    udp = free_ports(3, socket.SOCK_DGRAM)
    return Addresses(
        http_ports=dict(zip(SERVICES, tcp, strict=False)),
        grpc_ports=dict(zip(SERVICES, tcp[len(SERVICES) :], strict=False)),
        agent_sip_port=udp[0],
        trunk_sip_port=udp[1],
        rtp_ports=rtp_ports,
        carrier_sip_port=udp[2],
        carrier_control_port=tcp[-1],
    )


def kept_secrets(folder: Path, *, fresh: bool) -> Secrets:
    """The secrets of the stack's data: made at its first start, kept as long as it (token keys are never dropped)."""
    path = folder / SECRETS_FILE
    if path.exists() and not fresh:
        return Secrets(**json.loads(path.read_text()))
    made = Secrets(
        token_keys=f"1:{secrets.token_hex(32)}",
        agent_secret=secrets.token_hex(32),
        trunk_password=secrets.token_hex(12),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(made)))
    return made
