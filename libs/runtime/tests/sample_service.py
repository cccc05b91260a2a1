"""A whole service in one file, run as a process by test_run.py: a demand makes a supply, requests do too."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from outdial_contracts.events import PacingDemand, PacingSupply, StopChanged, SupplyReason
from outdial_contracts.rpc import outdial_pb2
from outdial_runtime import RunConfig, run
from outdial_runtime.outcome import NOTHING, Outcome, Publish
from outdial_runtime.service import (
    Answer,
    GrpcMethod,
    HttpReply,
    HttpRoute,
    Read,
    Received,
    Request,
    Service,
    Subscription,
    Toolkit,
)

AT = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)


def supply(campaign: str) -> PacingSupply:
    return PacingSupply(
        team_id="blue", campaign_id=campaign, epoch=1, sent_total=1, reason=SupplyReason.SATISFIED, supplied_at=AT
    )


async def on_demand(message: Received[PacingDemand], deps: Toolkit) -> Outcome:
    if message.event.epoch < 0:
        raise ValueError("no epoch for +12125550123")
    return Publish([supply(message.event.campaign_id)])


async def on_stop(message: Received[StopChanged], deps: Toolkit) -> Outcome:
    return NOTHING


async def post_supply(request: Request, deps: Toolkit) -> Answer:
    if request.message == b"broken":
        raise ValueError("+12125550123")
    event = supply(request.path["campaign_id"])
    return Answer(reply=HttpReply(status=201, body={"cause": request.cause}), outcome=Publish([event]))


async def hang_up(request: Request, deps: Toolkit) -> Answer:
    if request.message.agent_id == "broken":
        raise ValueError("+12125550123")
    event = supply(request.message.agent_id)
    return Answer(reply=outdial_pb2.HangUpReply(found=True), outcome=Publish([event]))


@asynccontextmanager
async def build(toolkit: Toolkit) -> AsyncIterator[Any]:
    yield toolkit


SERVICE = Service(
    name="sample",
    build=build,
    subscriptions={
        PacingDemand: Subscription(handler=on_demand),
        StopChanged: Subscription(handler=on_stop, read=Read.WHOLE),
    },
    requests=(
        HttpRoute(method="POST", path="/v1/supplies/{campaign_id}", handler=post_supply),
        GrpcMethod(service="CallControl", method="HangUp", handler=hang_up),
    ),
)

if __name__ == "__main__":
    sys.exit(run(SERVICE, RunConfig.from_env("sample")))
