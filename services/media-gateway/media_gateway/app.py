"""Composition root of media-gateway: sockets, channels, media plane; SUBSCRIPTIONS, TICKS, REQUESTS."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from media_gateway.adapters.clearance_jws import JwsClearances
from media_gateway.adapters.gate_grpc import GrpcGate
from media_gateway.adapters.media_plane import MediaPlane
from media_gateway.adapters.router_grpc import Channels, GrpcAgentRouter
from media_gateway.adapters.rtp_udp import MediaPump
from media_gateway.adapters.sip_lines import SipPhones, SipTrunks, password_of
from media_gateway.adapters.sip_udp import SipUdp, bind_udp, serve_sip_udp
from media_gateway.config import Config
from media_gateway.detection.greeting import Profile
from media_gateway.handlers.agents import on_phone_call
from media_gateway.handlers.deps import Deps
from media_gateway.handlers.dial import on_call_dial
from media_gateway.handlers.rpc import on_claim, on_get_calls, on_hang_up, on_release
from media_gateway.handlers.standing import on_document_published, on_suppression_changed, on_team_owner
from media_gateway.handlers.ticks import CAPACITY_SECONDS, LEGS_SECONDS, drain, on_capacity_tick, on_legs_tick
from media_gateway.rtp.port_pool import PortPool
from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.digest import Authenticator
from media_gateway.sip.endpoint import Endpoint
from media_gateway.sip.events import IncomingCall
from outdial_contracts.base import Event
from outdial_contracts.events import CallDial, DocumentPublished, SuppressionChanged, TeamOwner
from outdial_runtime.service import GrpcMethod, HttpRoute, Read, Service, Subscription, Tick, Toolkit

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    CallDial: Subscription(handler=on_call_dial, read=Read.PINNED),
    DocumentPublished: Subscription(handler=on_document_published, read=Read.WHOLE),
    TeamOwner: Subscription(handler=on_team_owner, read=Read.WHOLE),
    SuppressionChanged: Subscription(handler=on_suppression_changed, read=Read.WHOLE_LATEST),
}
TICKS = (
    Tick(handler=on_capacity_tick, every_seconds=CAPACITY_SECONDS),
    Tick(handler=on_legs_tick, every_seconds=LEGS_SECONDS),
)
REQUESTS = (
    GrpcMethod(service="AgentLeg", method="Claim", handler=on_claim),
    GrpcMethod(service="AgentLeg", method="Release", handler=on_release),
    GrpcMethod(service="CallControl", method="HangUp", handler=on_hang_up),
    HttpRoute(method="GET", path="/v1/calls", handler=on_get_calls),
)
USER_AGENT = "outdial"
AGENT_REALM = "outdial"
LAST_BYE_SECONDS = 1.0


def build_service(config: Config) -> Service:
    """The whole service."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        async with _open(config, toolkit) as deps:
            yield deps

    return Service(
        name="media-gateway",
        build=build,
        subscriptions=SUBSCRIPTIONS,
        ticks=TICKS,
        requests=REQUESTS,
        drain=drain,
    )


@asynccontextmanager
async def _open(config: Config, toolkit: Toolkit) -> AsyncIterator[Deps]:
    """Opens everything and closes it in reverse order; a live call or the pump that fails ends the service.

    Raises:
        ExceptionGroup: what a live call, a phone or the pump raised.
    """
    boot_id = toolkit.chance.token()
    pump = MediaPump(host=config.sip_host, ports=PortPool(first=config.rtp_ports[0], last=config.rtp_ports[1]))
    trunks = SipTrunks(config.sip_host, config.environ, _session_number)
    phones = SipPhones(lambda call: _answer_phone(call, deps), _session_number)
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as closing:
        work = _Work(tasks)
        channels = Channels()
        closing.push_async_callback(channels.close)
        deps = Deps(
            config=config,
            clock=toolkit.clock,
            chance=toolkit.chance,
            outbox=toolkit.outbox,
            boot_id=boot_id,
            gate=GrpcGate(
                channels.to(config.gate_address),
                toolkit.clock,
                toolkit.chance,
                (config.gateway_id, boot_id),
                toolkit.inject_trace,
            ),
            router=GrpcAgentRouter(channels, config.gateway_id, toolkit.inject_trace),
            clearances=JwsClearances(config.jwks_file, toolkit.clock.monotonic),
            trunks=trunks,
            phones=phones,
            media=MediaPlane(pump, config.prompts_dir),
            profile=Profile(),
            inject_trace=toolkit.inject_trace,
            child_span=toolkit.child_span,
            start=work.start,
        )
        trunks.sip = await _trunk_socket(config, trunks)
        closing.push_async_callback(_close_sip, trunks.sip)
        phones.sip = await _phone_socket(config, phones)
        closing.push_async_callback(_close_sip, phones.sip)
        tasks.create_task(pump.run())
        await asyncio.sleep(0)  # it begins, so that closing finds it running
        closing.callback(pump.close)
        closing.push_async_callback(work.cut_off)
        try:
            yield deps
        finally:
            deps.standing.draining = True  # a phone that calls while we close is refused


class _Work:
    """Tasks of calls, phones and opt-outs: their failure ends the service, and its end cuts them off."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._live: set[asyncio.Task[None]] = set()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs it beside everything else."""
        task = self._tasks.create_task(coroutine)
        self._live.add(task)
        task.add_done_callback(self._live.discard)
        return task

    async def cut_off(self) -> None:
        """Cancels what a drain left over, and waits until each has hung up and said so."""
        left = set(self._live)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


async def _close_sip(sip: SipUdp) -> None:
    """Closes once our BYEs are confirmed, or after a moment."""
    until = time.monotonic() + LAST_BYE_SECONDS
    while sip.live_call_ids and time.monotonic() < until:  # noqa: ASYNC110 (the core has nothing to wait on)
        await asyncio.sleep(0.02)
    await sip.close()


async def _trunk_socket(config: Config, trunks: SipTrunks) -> SipUdp:
    udp = bind_udp((config.sip_host, config.trunk_sip_port))
    endpoint = Endpoint(identity=_identity(config.sip_host, udp.getsockname()[1]))
    return await serve_sip_udp(endpoint, udp, on_event=trunks.dispatch)


async def _phone_socket(config: Config, phones: SipPhones) -> SipUdp:
    authenticator = Authenticator(
        realm=AGENT_REALM, key=secrets.token_bytes(32), password_of=password_of(config.agent_secret)
    )
    udp = bind_udp((config.sip_host, config.agent_sip_port))
    identity = _identity(config.sip_host, udp.getsockname()[1])
    return await serve_sip_udp(Endpoint(identity=identity, authenticator=authenticator), udp, on_event=phones.dispatch)


def _identity(host: str, port: int) -> LocalIdentity:
    return LocalIdentity(host=host, port=port, user_agent=USER_AGENT, new_token=lambda: secrets.token_hex(8))


def _session_number() -> int:
    return secrets.randbits(31)


def _answer_phone(call: IncomingCall, deps: Deps) -> None:
    deps.start(on_phone_call(call, deps))
