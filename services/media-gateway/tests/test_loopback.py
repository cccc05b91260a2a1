"""The whole gateway but Kafka, gate and pacer, against the simulated carrier in its own process, over real sockets.

The carrier shares no code with us: what a callee is can only be heard. Calls of every kind run side by side once, and
each test looks at what came of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvloop
from joserfc import jws
from joserfc.jwk import KeySet, OKPKey

from media_gateway.adapters.media_plane import MediaPlane
from media_gateway.adapters.rtp_udp import MediaPump
from media_gateway.adapters.sip_lines import SipTrunks, password_of
from media_gateway.adapters.sip_udp import bind_udp, serve_sip_udp
from media_gateway.app import build_service
from media_gateway.config import Config
from media_gateway.domain.call_states import CallState
from media_gateway.domain.endings import ABANDON_LIMIT
from media_gateway.handlers.deps import Deps
from media_gateway.handlers.dial import on_call_dial
from media_gateway.handlers.mailbox import HangUp
from media_gateway.handlers.ticks import drain
from media_gateway.ports import AssignedAgent, Granted, remote_of
from media_gateway.rtp.port_pool import PortPool
from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.endpoint import Endpoint
from media_gateway.sip.events import Answered, CallEvent
from outdial_contracts.events import (
    AgentLeg,
    CallDial,
    CallEnded,
    CallProgress,
    EndClass,
    Fault,
    ProgressStage,
    Verdict,
)
from outdial_runtime.clock import SystemChance, SystemClock
from outdial_runtime.outcome import NOTHING

from .handlers.fakes import DIAL, ROUTE, TRUNK, FakeOutbox
from .handlers.test_handlers import received
from .handlers.world import no_span

pytestmark = pytest.mark.slow

KINDS = ("human", "voicemail", "busy", "sit", "not_found", "unavailable", "no_answer", "dead_air")
NUMBERS = {kind: f"+1212555{100 + place:04d}" for place, kind in enumerate((*KINDS, "bridged"))}
PROMPTS = Path(__file__).parents[3] / "examples" / "prompts"


@dataclass
class FakeToolkit:
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    clock: SystemClock = field(default_factory=SystemClock)
    chance: SystemChance = field(default_factory=SystemChance)

    def inject_trace(self, attempt_id: str) -> str:
        return f"00-{uuid.UUID(attempt_id).hex}-00000000000000aa-01"

    child_span = staticmethod(no_span)


@dataclass
class GrantingGate:
    """Grants each attempt its number."""

    numbers: dict[str, str] = field(default_factory=dict)

    async def redeem(self, dial: CallDial, leg_no: int) -> Granted:
        deadline = asyncio.get_running_loop().time() + 0.3
        return Granted(e164=self.numbers[dial.attempt_id], deadline_seconds=deadline)


@dataclass
class OneAgent:
    """Assigns one agent to one attempt, nobody to the others."""

    attempt_id: str
    leg_id: str

    async def assign(self, dial: CallDial, *rest: Any) -> AssignedAgent | None:
        if dial.attempt_id != self.attempt_id:
            return None
        return AssignedAgent(
            agent_id="agent-1",
            leg_id=self.leg_id,
            gateway_id="gateway-0",
            gateway_address="127.0.0.1:1",
            epoch=42,
            lease_id="agent-lease-1",
        )


@dataclass
class Lived:
    """What came of the calls, by kind, and what the carrier wrote down."""

    ended: dict[str, CallEnded] = field(default_factory=dict)
    progress: dict[str, list[CallProgress]] = field(default_factory=dict)
    carrier: list[dict[str, Any]] = field(default_factory=list)
    heard_by_agent: list[int] = field(default_factory=list)
    legs: list[AgentLeg] = field(default_factory=list)
    ports_left_open: int = 0

    def at_carrier(self, kind: str) -> list[dict[str, Any]]:
        call_id = f"{self.ended[kind].attempt_id}.1@127.0.0.1"
        return [line for line in self.carrier if line.get("call_id") == call_id]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(live_through(tmp_path_factory.mktemp("loopback")))


async def live_through(folder: Path) -> Lived:
    port, result, toolkit = free_port(), Lived(), FakeToolkit()
    config, key = configuration(folder)
    attempts = {kind: str(uuid.uuid5(uuid.NAMESPACE_URL, kind)) for kind in NUMBERS}
    async with (
        asyncio.timeout(60),
        carrier(folder, port),
        build_service(config).build(toolkit) as opened,  # type: ignore[arg-type]
        agent_phone(opened.phones.sip.local_port, config) as frames,
    ):
        while not opened.standing.legs.by_id:
            await asyncio.sleep(0.01)
        gate = GrantingGate({attempts[kind]: number for kind, number in NUMBERS.items()})
        router = OneAgent(attempts["bridged"], next(iter(opened.standing.legs.by_id)))
        deps: Deps = replace(opened, gate=gate, router=router)
        trunk = replace(TRUNK, port=port, username="outdial", password_env="TRUNK_PASSWORD")
        deps.standing.routes[ROUTE.route_id] = replace(ROUTE, trunks=(trunk,))
        for attempt_id in attempts.values():
            assert await on_call_dial(received(dial_of(attempt_id, key)), deps) is NOTHING
            await asyncio.sleep(0.03)
        talk = deps.standing.calls[attempts["bridged"]]
        while talk.state is not CallState.BRIDGED:
            await asyncio.sleep(0.05)
        await asyncio.sleep(6)
        talk.mailbox.put(HangUp(by_agent=True))
        while len(toolkit.outbox.of(CallEnded)) < len(NUMBERS):
            await asyncio.sleep(0.05)
        result.heard_by_agent = [int(np.abs(frame).max()) for frame in frames]
        await drain(deps)
        result.ports_left_open = len(deps.standing.calls) + len(deps.standing.phones)
    kinds = {attempt_id: kind for kind, attempt_id in attempts.items()}
    result.ended = {kinds[end.attempt_id]: end for end in toolkit.outbox.of(CallEnded)}
    for event in toolkit.outbox.of(CallProgress):
        result.progress.setdefault(kinds[event.attempt_id], []).append(event)
    result.legs = toolkit.outbox.of(AgentLeg)
    result.carrier = [json.loads(line) for line in (folder / "carrier.jsonl").read_text().splitlines()]
    return result


def dial_of(attempt_id: str, key: OKPKey) -> CallDial:
    now = datetime.now(UTC)
    claims = {
        "sub": attempt_id,
        "country": "US",
        "class": "geographic",
        "modes": ["LIVE_AUTODIALED"],
        "agent_guaranteed": False,
        "aud": "outdial-media-gateway",
        "exp": int(now.timestamp()) + 60,
    }
    header = {"alg": "Ed25519", "kid": key.kid}
    token = jws.serialize_compact(header, json.dumps(claims), key, algorithms=["Ed25519"])
    return replace(
        DIAL,
        attempt_id=attempt_id,
        token=token,
        ring_timeout_seconds=3,
        decided_at=now,
        expires_at=now + timedelta(seconds=5),
    )


def configuration(folder: Path) -> tuple[Config, OKPKey]:
    key = OKPKey.generate_key("Ed25519", {"kid": "k1"}, auto_kid=False)
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    environment = {
        "OUTDIAL_GRPC_PORT": "7004",
        "OUTDIAL_AGENT_SIP_PORT": "0",
        "OUTDIAL_TRUNK_SIP_PORT": "0",
        "OUTDIAL_RTP_PORTS": "22000-22399",
        "OUTDIAL_PROMPTS_DIR": str(PROMPTS),
        "OUTDIAL_GATE_ADDRESS": "127.0.0.1:1",
        "OUTDIAL_CLEARANCE_JWKS_FILE": str(jwks),
        "OUTDIAL_AGENT_SECRET": "secret",
        "OUTDIAL_DRAIN_SECONDS": "3",
        "TRUNK_PASSWORD": "outdial",
    }
    return Config.from_env(environment), key


@asynccontextmanager
async def carrier(folder: Path, port: int) -> AsyncIterator[None]:
    """`outdial-sim carrier`, ready, with a number for every kind; it ends with the block."""
    by_number = {number: "human" if kind == "bridged" else kind for kind, number in NUMBERS.items()}
    scenario = {
        "schema": 1,
        "seed": 7,
        "clock_start": "2026-11-17T15:00:00Z",
        "agents": {"count": 0, "login_spread_seconds": 1, "talk_mean_seconds": 1, "talk_cv": 0, "wrap_mean_seconds": 1},
        "carrier": {"pdd_ms": [20, 60], "digest": True, "loss": 0.0},
        "callees": {
            "mix": {"human": 1.0},
            "ring_seconds": {"human": [0.2, 0.4], "voicemail": [0.2, 0.4], "dead_air": [0.2, 0.4], "sit": [0.2, 0.4]},
            "by_number": by_number,
        },
        "events": [],
    }
    (folder / "scenario.yaml").write_text(json.dumps(scenario))
    control = free_port(socket.SOCK_STREAM)
    arguments = ["carrier", "--scenario", str(folder / "scenario.yaml"), "--log", str(folder / "carrier.jsonl")]
    arguments += ["--port", str(port), "--control-port", str(control)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OUTDIAL_")}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "outdial_sim", *arguments, env=environment)
    try:
        await healthy(f"http://127.0.0.1:{control}/healthz")
        yield
    finally:
        process.terminate()
        await process.wait()


async def healthy(url: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(20):
        while True:
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def agent_phone(gateway_port: int, config: Config) -> AsyncIterator[list[Any]]:
    """An agent's phone that dials in with the console's password, talks all the time and keeps what it hears."""
    password = password_of(config.agent_secret)("blue.agent-1")
    lines = SipTrunks("127.0.0.1", {"PHONE_PASSWORD": password or ""}, lambda: 1)
    udp = bind_udp(("127.0.0.1", 0))
    identity = LocalIdentity(
        host="127.0.0.1", port=udp.getsockname()[1], user_agent="phone", new_token=lambda: uuid.uuid4().hex
    )
    lines.sip = await serve_sip_udp(Endpoint(identity=identity), udp, on_event=lines.dispatch)
    pump = MediaPump(host="127.0.0.1", ports=PortPool(first=22400, last=22499))
    running = asyncio.create_task(pump.run())
    leg, frames = await pump.open_port(), list[Any]()

    def on_event(event: CallEvent) -> None:
        if isinstance(event, Answered):
            leg.set_remote(*remote_of(event.sdp))
            leg.on_frame = lambda _, frame: frames.append(frame.copy())
            speech = (MediaPlane(pump, PROMPTS).prompt("safe_harbour.wav") or [])[20:80]
            leg.play((speech + [np.zeros(160, dtype=np.int16)] * 90) * 20)  # a sentence, and time to answer it

    trunk = replace(TRUNK, port=gateway_port, username="blue.agent-1", password_env="PHONE_PASSWORD")
    lines.place(
        call_id="phone-1", trunk=trunk, number="agents", caller_id="agent-1", traceparent="", leg=leg, on_event=on_event
    )
    try:
        yield frames
        async with asyncio.timeout(5):
            while lines.sip.live_call_ids:  # the gateway's drain says BYE
                await asyncio.sleep(0.02)
    finally:
        pump.close()
        await running
        await lines.sip.close()


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("kind", "end_class", "fault", "status", "verdict"),
    [
        ("bridged", EndClass.CONNECTED, Fault.AGENT, 200, Verdict.HUMAN),
        ("human", EndClass.ABANDONED, Fault.US, 200, Verdict.HUMAN),
        ("voicemail", EndClass.MACHINE, Fault.CALLEE, 200, Verdict.MACHINE),
        ("dead_air", EndClass.DEAD_AIR, Fault.CALLEE, 200, Verdict.SILENCE),
        ("busy", EndClass.BUSY, Fault.CALLEE, 486, None),
        ("sit", EndClass.NOT_IN_SERVICE, Fault.US, 487, None),  # by ear: our ring time ended before the announcement
        ("not_found", EndClass.NOT_IN_SERVICE, Fault.US, 404, None),
        ("unavailable", EndClass.CONGESTION, Fault.CARRIER, 503, None),
        ("no_answer", EndClass.NO_ANSWER, Fault.CALLEE, 487, None),
    ],
)
def test_each_kind_of_callee_is_heard_for_what_it_is(
    lived: Lived, kind: str, end_class: EndClass, fault: Fault, status: int, verdict: Verdict | None
) -> None:
    ended = lived.ended[kind]
    assert (ended.dialled, ended.end_class, ended.fault) == (True, end_class, fault)
    assert (ended.sip_status, ended.verdict) == (status, verdict)


def test_carrier_saw_one_invite_per_attempt_with_its_trace(lived: Lived) -> None:
    for kind, ended in lived.ended.items():
        invites = [line for line in lived.at_carrier(kind) if line.get("event") == "initial_invite"]
        assert len(invites) == 1, kind
        traced = [line["traceparent"] for line in lived.at_carrier(kind) if line.get("method") == "INVITE"]
        assert {parent.split("-")[1] for parent in traced} == {uuid.UUID(ended.attempt_id).hex}


def test_callee_without_an_agent_hears_the_message_in_time(lived: Lived) -> None:
    ended = lived.ended["human"]
    assert ended.safe_harbour_played
    assert ended.bridged_at is None
    events = {line["event"]: line["t"] for line in lived.at_carrier("human") if "event" in line}
    # By the carrier's ear: ours may begin 2.0 s after the greeting, the rest is its caution and this machine's load.
    assert events["heard_audio"] - events["greeting_end"] < 3.0


def test_bridge_is_in_time_and_both_sides_hear_each_other(lived: Lived) -> None:
    ended = lived.ended["bridged"]
    stages = [event.stage for event in lived.progress["bridged"]]
    assert stages[-3:] == [ProgressStage.VERDICT, ProgressStage.ASSIGNED, ProgressStage.BRIDGED]
    assert ended.bridged_at is not None
    assert ended.greeting_ended_at is not None
    assert ended.bridged_at - ended.greeting_ended_at <= ABANDON_LIMIT
    bridged = lived.progress["bridged"][-1]
    assert bridged.audio_delay_ms is not None
    assert bridged.audio_delay_ms > 0
    assert any(line.get("event") == "heard_audio" for line in lived.at_carrier("bridged"))
    assert sum(peak > 1000 for peak in lived.heard_by_agent) > 20  # 0.4 s of the callee's speech at the agent's phone
    assert ended.packets_received > 50


def test_greeting_ends_where_the_carrier_played_its_end(lived: Lived) -> None:
    for kind in ("human", "bridged"):
        greeting_ended_at = lived.ended[kind].greeting_ended_at
        [truth] = [line["t"] for line in lived.at_carrier(kind) if line.get("event") == "greeting_end"]
        assert greeting_ended_at is not None
        assert abs(greeting_ended_at.timestamp() - truth) < 1.0


def test_drain_leaves_nothing_behind(lived: Lived) -> None:
    assert lived.ports_left_open == 0
    assert [leg.up for leg in lived.legs] == [True, False]
