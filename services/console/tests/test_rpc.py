"""The gate and a gateway over real sockets: what they do not confirm did not happen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from console.adapters.rpc import GrpcCalls, GrpcGate
from console.ports import AttemptUnknown, GateAway, GatewayAway
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import (
    CallControlServicer,
    ClearanceServicer,
    add_CallControlServicer_to_server,
    add_ClearanceServicer_to_server,
)


class Outside(ClearanceServicer, CallControlServicer):
    """Gate and gateway in one."""

    def __init__(self, server: Any, port: int) -> None:
        self.server, self.address = server, f"127.0.0.1:{port}"
        self.suppression, self.asked = pb.SuppressReply(suppressed=pb.Suppressed()), []  # type: ignore[var-annotated]

    async def Redeem(self, request: Any, context: Any) -> Any:
        raise AssertionError("not asked here")

    async def Suppress(self, request: Any, context: Any) -> Any:  # the rpc's name
        self.asked.append(request)
        return self.suppression

    async def HangUp(self, request: Any, context: Any) -> Any:  # the rpc's name
        return pb.HangUpReply(found=(request.attempt_id, request.agent_id) == ("here", "a1"))


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    server = grpc.aio.server()
    outside = Outside(server, server.add_insecure_port("127.0.0.1:0"))
    add_ClearanceServicer_to_server(outside, server)
    add_CallControlServicer_to_server(outside, server)
    await server.start()
    yield outside
    await server.stop(None)


async def test_an_opt_out_says_who_when_and_that_an_agent_asked(outside: Outside, office: Any) -> None:
    async with grpc.aio.insecure_channel(outside.address) as channel:
        await GrpcGate(channel).suppress("s-1", office.call, office.now)
    [asked] = outside.asked
    assert (asked.suppression_id, asked.attempt_id, asked.seller_id, asked.source) == ("s-1", office.call, "*", "AGENT")
    assert asked.requested_at.ToDatetime(tzinfo=office.now.tzinfo) == office.now


@pytest.mark.parametrize("reply", [pb.SuppressReply(unknown=pb.Unknown(reason="not known")), pb.SuppressReply()])
async def test_an_answer_without_force_is_no_opt_out(outside: Outside, office: Any, reply: Any) -> None:
    outside.suppression = reply
    async with grpc.aio.insecure_channel(outside.address) as channel:
        with pytest.raises(AttemptUnknown):
            await GrpcGate(channel).suppress("s-1", office.call, office.now)


async def test_a_gate_that_is_not_there_is_away(outside: Outside, office: Any) -> None:
    await outside.server.stop(None)
    async with grpc.aio.insecure_channel(outside.address) as channel:
        with pytest.raises(GateAway):
            await GrpcGate(channel).suppress("s-1", office.call, office.now)


async def test_hang_up_tells_over_from_away(outside: Outside) -> None:
    calls = GrpcCalls()
    assert await calls.hang_up(outside.address, "here", "a1")
    assert not await calls.hang_up(outside.address, "gone", "a1")
    await outside.server.stop(None)
    with pytest.raises(GatewayAway):
        await calls.hang_up(outside.address, "here", "a1")
    await calls.close()
