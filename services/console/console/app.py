"""Composition root of console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from console.adapters.rpc import RECONNECT, GrpcCalls, GrpcGate
from console.config import Config
from console.handlers.agents import on_events, on_hang_up, on_sign_in, on_sign_out, on_state, on_wrap_up
from console.handlers.deps import Deps
from console.handlers.documents import on_post_campaign, on_post_document, on_post_state, on_post_stop
from console.handlers.screens import on_agent_leg, on_call_ended, on_call_progress, on_campaign_published
from outdial_contracts.base import Event
from outdial_contracts.events import AgentLeg, CallEnded, CallProgress, CampaignPublished
from outdial_runtime.service import HttpRoute, Read, Service, Subscription, Toolkit

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    AgentLeg: Subscription(handler=on_agent_leg, read=Read.WHOLE_LATEST),
    CallProgress: Subscription(handler=on_call_progress, read=Read.WHOLE_LATEST),
    CallEnded: Subscription(handler=on_call_ended, read=Read.WHOLE_LATEST),
    CampaignPublished: Subscription(handler=on_campaign_published, read=Read.WHOLE),
}
TICKS = ()
AGENT = "/v1/agents/{agent_id}"
REQUESTS = (
    HttpRoute(method="POST", path=f"{AGENT}/sign-in", handler=on_sign_in),
    HttpRoute(method="POST", path=f"{AGENT}/state", handler=on_state),
    HttpRoute(method="GET", path=f"{AGENT}/events", handler=on_events),
    HttpRoute(method="POST", path=f"{AGENT}/hang-up", handler=on_hang_up),
    HttpRoute(method="POST", path=f"{AGENT}/wrap-up", handler=on_wrap_up),
    HttpRoute(method="POST", path=f"{AGENT}/sign-out", handler=on_sign_out),
    HttpRoute(method="POST", path="/v1/campaigns", handler=on_post_campaign),
    HttpRoute(method="POST", path="/v1/campaigns/{campaign_id}/state", handler=on_post_state),
    HttpRoute(method="POST", path="/v1/documents", handler=on_post_document),
    HttpRoute(method="POST", path="/v1/stops", handler=on_post_stop),
)


def build_service(config: Config) -> Service:
    """The whole service."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        calls = GrpcCalls()
        async with grpc.aio.insecure_channel(config.gate_address, options=RECONNECT) as channel:
            try:
                yield Deps(config=config, gate=GrpcGate(channel), calls=calls)
            finally:
                await calls.close()

    return Service(name="console", build=build, subscriptions=SUBSCRIPTIONS, ticks=TICKS, requests=REQUESTS)
