"""Where a stack keeps its files and who listens where; saved as stack.json so that other commands find it."""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
from collections.abc import Mapping
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
    """process -> HTTP port on 127.0.0.1; a process is named by its service, a second replica `{service}-1`."""
    grpc_ports: dict[str, int]
    agent_sip_port: int
    """Of the first gateway."""
    trunk_sip_port: int
    rtp_ports: str
    """FIRST-LAST, for all gateways together."""
    carrier_sip_port: int
    carrier_control_port: int
    more_sip_ports: dict[str, list[int]] = field(default_factory=dict)
    """Gateway process -> [agents', trunks'] SIP port, from the second gateway on."""
    gate_port: int | None = None
    """Where the proxy in front of the gate's replicas listens; None when there is no proxy."""
    crm_port: int = 0
    """Where the simulated CRM takes webhooks, once it is started."""

    def url(self, service: str) -> str:
        """Base URL of a service's HTTP."""
        return f"http://127.0.0.1:{self.http_ports[service]}"

    def grpc(self, service: str) -> str:
        """rpc address of a service."""
        return f"127.0.0.1:{self.grpc_ports[service]}"

    @property
    def gate(self) -> str:
        """Where the gate's clients call: the proxy when there is one."""
        return self.grpc("compliance-gate") if self.gate_port is None else f"127.0.0.1:{self.gate_port}"

    def sip_ports(self, ordinal: int) -> tuple[int, int]:
        """(agents', trunks') SIP port of a gateway; the first one's where it has no peer of that number."""
        ports = self.more_sip_ports.get(process_name("media-gateway", ordinal))
        return (ports[0], ports[1]) if ports else (self.agent_sip_port, self.trunk_sip_port)

    def rtp_range(self, ordinal: int) -> str:
        """FIRST-LAST of one gateway: an equal share of all, even ports first."""
        first, last = (int(port) for port in self.rtp_ports.split("-"))
        share = (last + 1 - first) // (1 + len(self.more_sip_ports)) // 2 * 2
        return f"{first + ordinal * share}-{first + (ordinal + 1) * share - 1}"


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Made anew for every stack; never leave the machine."""

    token_keys: str
    agent_secret: str
    trunk_password: str
    webhook_secret: str = ""
    """Standard Webhooks: whsec_ and base64."""


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


def process_name(service: str, ordinal: int) -> str:
    """The first replica has its service's name, the others `{service}-{ordinal}`."""
    return f"{service}-{ordinal}" if ordinal else service


def replica_of(process: str) -> tuple[str, int]:
    """(service, ordinal) of a process's name."""
    found = re.fullmatch(r"(.+)-(\d+)", process)
    return (found[1], int(found[2])) if found else (process, 0)


def process_names(replicas: Mapping[str, int]) -> tuple[str, ...]:
    """Every process of a stack; a service that `replicas` does not name has one."""
    return tuple(process_name(service, i) for service in SERVICES for i in range(replicas.get(service, 1)))


def new_addresses(
    rtp_ports: str = "20000-21999", *, replicas: Mapping[str, int] | None = None, gate_proxy: bool = False
) -> Addresses:
    """Free ports for a new stack."""
    names = process_names(replicas or {})
    gateways = [name for name in names if replica_of(name)[0] == "media-gateway"]
    tcp = free_ports(2 * len(names) + 3)
    udp = free_ports(1 + 2 * len(gateways), socket.SOCK_DGRAM)
    return Addresses(
        http_ports=dict(zip(names, tcp, strict=False)),
        grpc_ports=dict(zip(names, tcp[len(names) :], strict=False)),
        agent_sip_port=udp[0],
        trunk_sip_port=udp[1],
        rtp_ports=rtp_ports,
        carrier_sip_port=udp[2],
        carrier_control_port=tcp[-1],
        more_sip_ports={name: udp[2 * i + 1 : 2 * i + 3] for i, name in enumerate(gateways) if i},
        gate_port=tcp[-2] if gate_proxy else None,
        crm_port=tcp[-3],
    )


def kept_secrets(folder: Path, *, fresh: bool) -> Secrets:
    """The secrets of the stack's data: made at its first start, kept as long as it (token keys are never dropped)."""
    path = folder / SECRETS_FILE
    kept = json.loads(path.read_text()) if path.exists() and not fresh else {}
    made = Secrets(
        token_keys=f"1:{secrets.token_hex(32)}",
        agent_secret=secrets.token_hex(32),
        trunk_password=secrets.token_hex(12),
        webhook_secret=f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
    )
    whole = Secrets(**{**asdict(made), **kept})
    if asdict(whole) != kept:
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(whole)))
    return whole
