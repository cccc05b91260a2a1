"""Composition root of console."""

from __future__ import annotations

import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import grpc

from console.adapters.files import ReportFolder, read_assets
from console.adapters.rpc import RECONNECT, GrpcCalls, GrpcGate
from console.adapters.services_http import HttpSources, new_client
from console.config import Config
from console.domain.board import Board
from console.handlers.agents import on_events, on_hang_up, on_sign_in, on_sign_out, on_state, on_wrap_up
from console.handlers.attempts import on_attempt, on_attempts, on_campaign_attempts, on_lead, on_search
from console.handlers.board import on_board, on_board_json, on_board_live
from console.handlers.deps import Deps
from console.handlers.documents import on_post_campaign, on_post_document, on_post_state, on_post_stop
from console.handlers.evidence import on_evidence
from console.handlers.files import on_asset, on_favicon, on_report, on_report_frame
from console.handlers.hub import Hub
from console.handlers.screens import (
    on_abandon_budget,
    on_agent_leg,
    on_call_ended,
    on_call_progress,
    on_campaign_published,
)
from outdial_contracts.base import Event
from outdial_contracts.events import AbandonBudget, AgentLeg, CallEnded, CallProgress, CampaignPublished
from outdial_runtime.service import HttpRoute, Read, Service, SocketRoute, Subscription, Toolkit

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    AgentLeg: Subscription(handler=on_agent_leg, read=Read.WHOLE_LATEST),
    CallProgress: Subscription(handler=on_call_progress, read=Read.WHOLE_LATEST),
    CallEnded: Subscription(handler=on_call_ended, read=Read.WHOLE_LATEST),
    CampaignPublished: Subscription(handler=on_campaign_published, read=Read.WHOLE),
    AbandonBudget: Subscription(handler=on_abandon_budget, read=Read.WHOLE),
}
TICKS = ()
AGENT = "/v1/agents/{agent_id}"
AGENTS_AND_DOCUMENTS = (
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
PAGES = (
    HttpRoute(method="GET", path="/", handler=on_board),
    HttpRoute(method="GET", path="/v1/board", handler=on_board_json),
    HttpRoute(method="GET", path="/attempts", handler=on_attempts),
    HttpRoute(method="POST", path="/attempts", handler=on_search),
    HttpRoute(method="GET", path="/attempts/{attempt_id}", handler=on_attempt),
    HttpRoute(method="GET", path="/attempts/{attempt_id}/evidence", handler=on_evidence),
    HttpRoute(method="GET", path="/leads/{lead_id}", handler=on_lead),
    HttpRoute(method="GET", path="/campaigns/{campaign_id}/attempts", handler=on_campaign_attempts),
    HttpRoute(method="GET", path="/report", handler=on_report),
    HttpRoute(method="GET", path="/reports/{name}", handler=on_report_frame),
    HttpRoute(method="GET", path="/pages/{name}", handler=on_asset),
    HttpRoute(method="GET", path="/favicon.ico", handler=on_favicon),
)
SOCKETS = (SocketRoute(path="/v1/board/live", handler=on_board_live),)
REQUESTS = (*AGENTS_AND_DOCUMENTS, *PAGES)


def build_service(config: Config) -> Service:
    """The whole service."""

    @asynccontextmanager
    async def build(toolkit: Toolkit) -> AsyncIterator[Deps]:
        zoneinfo.reset_tzpath(to=[])  # local time by the pinned tzdata wheel, not by the machine's copy
        calls, pages = GrpcCalls(), config.pages
        async with (
            grpc.aio.insecure_channel(config.gate_address, options=RECONNECT) as channel,
            new_client() as client,
        ):
            sources = HttpSources(client, pages.urls)
            hub = Hub(Board(zone=pages.zone), sources, toolkit.clock)
            try:
                async with hub.running():
                    yield Deps(
                        config=config,
                        gate=GrpcGate(channel),
                        calls=calls,
                        sources=sources,
                        hub=hub,
                        assets=read_assets(),
                        reports=ReportFolder(pages.reports_dir),
                        clock_shift=toolkit.clock.now() - datetime.now(UTC),
                    )
            finally:
                await calls.close()

    return Service(
        name="console", build=build, subscriptions=SUBSCRIPTIONS, ticks=TICKS, requests=(*REQUESTS, *SOCKETS)
    )
