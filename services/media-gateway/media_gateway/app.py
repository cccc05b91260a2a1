"""Composition root of media-gateway: sockets, channels, media plane; SUBSCRIPTIONS, TICKS, REQUESTS."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from media_gateway.adapters.clearance_jws import JwsClearances
from media_gateway.adapters.gate_grpc import GrpcGate
from media_gateway.adapters.media_plane import MediaPlane
from media_gateway.adapters.router_grpc import Channels, GrpcAgentRouter, GrpcPeers
from media_gateway.adapters.rtp_udp import MediaPump
from media_gateway.adapters.sip_lines import SipPhones, SipTrunks, password_of
from media_gateway.adapters.sip_udp import SipUdp, open_sip_udp
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
    """Opens everything; a live call or the pump that fails ends the service, which then closes in reverse order."""
    boot_id = toolkit.chance.token()
    channels = Channels()
    pump = MediaPump(host=config.sip_host, ports=PortPool(first=config.rtp_ports[0], last=config.rtp_ports[1]))
    trunks = SipTrunks(config.sip_host, config.environ, _session_number)
    phones = SipPhones(lambda call: _answer_phone(call, deps), _session_number)
    async with asyncio.TaskGroup() as tasks:

        def start(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            return tasks.create_task(coroutine)

        gate = GrpcGate(
            channels.to(config.gate_address),
            toolkit.clock,
            toolkit.chance,
            (config.gateway_id, boot_id),
            toolkit.inject_trace,
        )
        deps = Deps(
            config=config,
            clock=toolkit.clock,
            chance=toolkit.chance,
            outbox=toolkit.outbox,
            boot_id=boot_id,
            gate=gate,
            router=GrpcAgentRouter(channels, config.gateway_id, toolkit.inject_trace),
            peers=GrpcPeers(channels),
            clearances=JwsClearances(config.jwks_file),
            trunks=trunks,
            phones=phones,
            media=MediaPlane(pump, config.prompts_dir),
            profile=Profile(),
            inject_trace=toolkit.inject_trace,
            child_span=toolkit.child_span,
            start=start,
        )
        trunks.sip = await _trunk_socket(config, trunks)
        phones.sip = await _phone_socket(config, phones)
        running = start(pump.run())
        try:
            yield deps
        finally:
            pump.close()
            await asyncio.wait({running})
            await trunks.sip.close()
            await phones.sip.close()
            await channels.close()


async def _trunk_socket(config: Config, trunks: SipTrunks) -> SipUdp:
    identity = _identity(config.sip_host, config.trunk_sip_port)
    bind = (config.sip_host, config.trunk_sip_port)
    return await open_sip_udp(Endpoint(identity=identity), bind=bind, on_event=trunks.dispatch)


async def _phone_socket(config: Config, phones: SipPhones) -> SipUdp:
    authenticator = Authenticator(
        realm=AGENT_REALM, key=secrets.token_bytes(32), password_of=password_of(config.agent_secret)
    )
    endpoint = Endpoint(identity=_identity(config.sip_host, config.agent_sip_port), authenticator=authenticator)
    bind = (config.sip_host, config.agent_sip_port)
    return await open_sip_udp(endpoint, bind=bind, on_event=phones.dispatch)


def _identity(host: str, port: int) -> LocalIdentity:
    return LocalIdentity(host=host, port=port, user_agent=USER_AGENT, new_token=lambda: secrets.token_hex(8))


def _session_number() -> int:
    return secrets.randbits(31)


def _answer_phone(call: IncomingCall, deps: Deps) -> None:
    deps.start(on_phone_call(call, deps))
