"""Simulated agents against a console in-process (starlette) and a gateway on loopback."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outdial_sim import journal, voices
from outdial_sim.agents import app
from outdial_sim.agents.agent import Agent
from outdial_sim.scenario import Kind, Scenario
from outdial_sim.shifts import recount_shifts
from outdial_sim.wire import sip
from outdial_sim.wire.digest import Account, Guard, Verdict

pytestmark = pytest.mark.slow

WAIT_SECONDS = 10.0
World = Callable[..., Scenario]


class Gateway(asyncio.DatagramProtocol):
    """Answers agents' INVITEs after a digest challenge; can forget its dialogs, as after a restart."""

    def __init__(self) -> None:
        self.guard = Guard(account=Account(user="agent", password="pw"), realm="gw", key=b"k")
        self.legs: dict[str, tuple[str, int]] = {}
        self.invites = 0
        self.byes = 0
        self.mute = False
        self.media = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    @property
    def port(self) -> int:
        """The SIP port."""
        return int(self.transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer one request; RTP comes to the same port and is counted."""
        if data[0] & 0xC0 == 0x80:
            self.media += 1
            return
        request = sip.parse(data)
        if self.mute or request.status or request.method == "ACK":
            return
        status, extra, body = self._answer(request)
        reply = sip.response(request, status, source=addr, to_tag="gw", extra=extra, body=body)
        self.transport.sendto(sip.write(reply), addr)

    def play(self, payload: bytes) -> None:
        """One RTP packet to every leg."""
        for host, port in self.legs.values():
            self.transport.sendto(struct.pack("!BBHII", 0x80, 0, 1, 160, 7) + payload, (host, port))

    def _answer(self, request: sip.SipMessage) -> tuple[int, sip.Headers, bytes]:
        if request.method == "INVITE":
            return self._on_invite(request)
        if request.method == "BYE":
            self.byes += 1
        known = request.call_id in self.legs
        return (200 if known else 481), (), b""

    def _on_invite(self, request: sip.SipMessage) -> tuple[int, sip.Headers, bytes]:
        if self.guard.check(request.get("Authorization"), "INVITE", 1000.0) is not Verdict.ACCEPTED:
            return 401, (("WWW-Authenticate", self.guard.challenge(1000.0)),), b""
        self.invites += 1
        port = int(request.body.split(b"m=audio ")[1].split()[0])
        self.legs[request.call_id] = ("127.0.0.1", port)
        session = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        body = f"{session}m=audio {self.port} RTP/AVP 0\r\n"
        return 200, (("Contact", f"<sip:gw@127.0.0.1:{self.port}>"),), body.encode()


@dataclass
class Console:
    """The agent API; `posts` holds (action, body); events are given out by sequence number."""

    gateway_port: int
    posts: list[tuple[str, Any]] = field(default_factory=list)
    stream: list[dict[str, Any]] = field(default_factory=list)
    token: str = "t1"
    away: bool = False

    def say(self, kind: str, attempt_id: str) -> None:
        """Append an event."""
        self.stream.append({"seq": len(self.stream) + 1, "type": kind, "attempt_id": attempt_id, "at": "x"})

    def bodies(self, action: str) -> list[Any]:
        """Bodies of one action, in order."""
        return [body for name, body in self.posts if name == action]

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/v1/agents/{agent}/events", self._events, methods=["GET"]),
            Route("/v1/agents/{agent}/{action}", self._post, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    async def _post(self, request: Request) -> Response:
        action, body = request.path_params["action"], await request.json()
        if self.away:
            return Response(status_code=503)
        if action == "sign-in":
            self.posts.append((action, body))
            phone = {"uri": f"sip:agent@127.0.0.1:{self.gateway_port}", "username": "agent", "password": "pw"}
            return JSONResponse({"session_token": self.token, "sip": phone})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"title": "unknown session"}, 401)
        self.posts.append((action, body))
        if action == "hang-up":
            self.say("call_ended", body["attempt_id"])
        return Response(status_code=204)

    async def _events(self, request: Request) -> Response:
        await asyncio.sleep(0.02)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"title": "unknown session"}, 401)
        after = int(request.query_params["after"])
        return JSONResponse({"events": [event for event in self.stream if event["seq"] > after]})


@dataclass
class Floor:
    """A running floor of agents."""

    console: Console
    gateway: Gateway
    agents: list[Agent]
    log: Path
    stopped: asyncio.Future[None]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition."""
        for _ in range(int(WAIT_SECONDS / 0.02)):
            if condition():
                return
            await asyncio.sleep(0.02)
        raise TimeoutError("the floor never met the condition")

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Journal lines of an event."""
        return [line for line in journal.read(self.log) if line["event"] == event]


@asynccontextmanager
async def floor(scenario: Scenario, folder: Path) -> AsyncIterator[Floor]:
    """Agents at work; on leaving they are told to stop and have signed out."""
    loop = asyncio.get_running_loop()
    _, gateway = await loop.create_datagram_endpoint(Gateway, local_addr=("127.0.0.1", 0))
    console = Console(gateway.port)
    options = app.AgentsOptions(
        console_url="http://console",
        team_id="blue",
        campaign_ids=["spring"],
        prefix="agent-",
        host="127.0.0.1",
        log=folder / "agents.jsonl",
    )
    transport = httpx.ASGITransport(console.app())
    with journal.Journal(options.log) as log:
        async with (
            httpx.AsyncClient(transport=transport, base_url=options.console_url) as http,
            app.seated(scenario, voices.synthetic(), options, log, http) as agents,
        ):
            stopped = loop.create_future()
            working = asyncio.create_task(app.work(agents, scenario, stopped))
            try:
                yield Floor(console, gateway, agents, options.log, stopped)
            finally:
                stopped.set_result(None)
                await working
    gateway.transport.close()
    await asyncio.sleep(0)


def available(floor: Floor) -> bool:
    """Whether an agent said that it is available."""
    return {"state": "available", "reason": None} in floor.console.bodies("state")


@pytest.fixture
def one_agent(world: World) -> Scenario:
    """A scenario with a single agent."""
    scenario = world(Kind.HUMAN)
    agents = type(scenario.agents)(
        count=1, login_spread_seconds=0.0, talk_mean_seconds=0.4, talk_cv=0.0, wrap_mean_seconds=0.05
    )
    return type(scenario)(
        seed=scenario.seed,
        clock_start=scenario.clock_start,
        agents=agents,
        carrier=scenario.carrier,
        callees=scenario.callees,
    )


async def test_an_agent_connects_the_phone_before_it_says_available(one_agent: Scenario, tmp_path: Path) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        assert running.gateway.invites == 1
    assert running.console.bodies("sign-in") == [{"team_id": "blue", "campaign_ids": ["spring"]}]
    assert len(running.console.bodies("sign-out")) == 1
    assert running.gateway.byes == 1


async def test_a_call_is_talked_hung_up_wrapped_up_and_the_agent_is_available_again(
    one_agent: Scenario, tmp_path: Path
) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        running.gateway.play(b"\x10\x90" * 80)
        running.console.say("assigned", "a1")
        running.console.say("bridged", "a1")
        await running.until(lambda: running.lines("first_callee_audio"))
        await running.until(lambda: running.lines("wrapped_up"))
        await running.until(lambda: running.console.bodies("state")[-1]["state"] == "available")
    assert running.console.bodies("hang-up") == [{"attempt_id": "a1"}]
    wrapped = running.console.bodies("wrap-up")
    assert [one["attempt_id"] for one in wrapped] == ["a1"]
    assert wrapped[0]["code"] in ("NOT_INTERESTED", "INTERESTED", "CALLBACK", "DNC_REQUESTED")
    shifts = recount_shifts(running.log)
    assert (shifts.calls, shifts.calls_with_audio) == (1, 1)
    assert 0.3 < shifts.talk_seconds < 3.0


async def test_a_callee_who_hangs_up_first_is_wrapped_up_without_a_hang_up(one_agent: Scenario, tmp_path: Path) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        running.console.say("bridged", "a1")
        running.console.say("call_ended", "a1")
        await running.until(lambda: running.lines("wrapped_up"))
    assert running.console.bodies("hang-up") == []


async def test_an_assignment_that_is_never_bridged_needs_no_wrap_up(one_agent: Scenario, tmp_path: Path) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        running.console.say("assigned", "a1")
        running.console.say("call_ended", "a1")
        await running.until(lambda: running.lines("assignment_ended"))
    assert running.console.bodies("wrap-up") == []


async def test_a_restarted_gateway_is_called_again(one_agent: Scenario, tmp_path: Path) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        running.gateway.legs.clear()
        await running.until(lambda: running.gateway.invites == 2)
        await running.until(lambda: len(running.lines("leg_up")) == 2)
    assert running.lines("leg_down")[0]["reason"] == "481"


async def test_a_silent_gateway_is_noticed_and_called_again_when_it_is_back(
    one_agent: Scenario, tmp_path: Path
) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        running.gateway.mute = True
        await running.until(lambda: running.lines("leg_down"))
        await running.until(lambda: running.console.bodies("state")[-1] == {"state": "paused", "reason": "phone"})
        running.gateway.mute = False
        await running.until(lambda: running.gateway.invites == 2)


async def test_a_console_that_forgot_the_session_is_signed_in_to_again_and_the_call_is_still_wrapped_up(
    one_agent: Scenario, tmp_path: Path
) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        running.console.say("bridged", "a1")
        await running.until(lambda: running.lines("bridged"))
        running.console.token = "t2"
        await running.until(lambda: running.lines("wrapped_up"))
    assert len(running.console.bodies("sign-in")) == 2
    assert [one["attempt_id"] for one in running.console.bodies("wrap-up")] == ["a1"]
    assert running.gateway.invites == 1


async def test_an_agent_who_is_told_to_stop_ends_and_codes_the_call_in_hand(
    one_agent: Scenario, tmp_path: Path
) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        running.console.say("bridged", "a1")
        await running.until(lambda: running.lines("bridged"))
    actions = [action for action, _ in running.console.posts if action != "state"]
    assert actions == ["sign-in", "hang-up", "wrap-up", "sign-out"]


async def test_a_call_that_comes_too_early_is_taken_after_the_first(one_agent: Scenario, tmp_path: Path) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        for attempt in ("a1", "a2"):
            running.console.say("bridged", attempt)
        await running.until(lambda: len(running.lines("wrapped_up")) == 2)
    assert [one["attempt_id"] for one in running.console.bodies("wrap-up")] == ["a1", "a2"]


async def test_an_agent_speaks_only_while_somebody_is_on_the_line(one_agent: Scenario, tmp_path: Path) -> None:
    async with floor(one_agent, tmp_path) as running:
        await running.until(lambda: available(running))
        await asyncio.sleep(1.1)
        before = running.gateway.media
        assert 0 < before < 5
        for _ in range(40):
            running.gateway.play(b"\x10\x90" * 80)
            await asyncio.sleep(0.02)
        assert running.gateway.media - before > 15


async def test_posts_are_repeated_while_the_console_is_away(one_agent: Scenario, tmp_path: Path) -> None:
    async with floor(one_agent, tmp_path) as running:
        running.console.away = True
        await asyncio.sleep(0.3)
        running.console.away = False
        await running.until(lambda: available(running))
    assert len(running.console.bodies("sign-in")) == 1
