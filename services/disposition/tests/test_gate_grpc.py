"""The gate over a real socket: only a suppression that is in force counts as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from disposition.adapters.gate_grpc import GrpcSuppressor
from disposition.domain.record import AttemptRecord, Wrapup, with_wrapup
from disposition.ports import GateAway
from outdial_contracts.headers import event_id
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import ClearanceServicer, add_ClearanceServicer_to_server


class Gate(ClearanceServicer):
    def __init__(self) -> None:
        self.reply = pb.SuppressReply(suppressed=pb.Suppressed())
        self.asked: list[Any] = []

    async def Redeem(self, request: Any, context: Any) -> Any:
        raise AssertionError("not asked here")

    async def Suppress(self, request: Any, context: Any) -> Any:  # the rpc's name
        self.asked.append(request)
        return self.reply


@pytest.fixture
async def gate_and_suppressor() -> AsyncIterator[tuple[Gate, GrpcSuppressor, Any]]:
    gate, server = Gate(), grpc.aio.server()
    add_ClearanceServicer_to_server(gate, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield gate, GrpcSuppressor(channel), server
    await server.stop(None)


def word(attempt: Any, suppression_id: str | None) -> Wrapup:
    event = attempt.wrapup("DNC_REQUESTED", suppression_id=suppression_id)
    wrapup = with_wrapup(AttemptRecord(attempt_id=attempt.attempt_id), event).wrapup
    assert wrapup is not None
    return wrapup


@pytest.mark.parametrize("given", ["s-1", None])
async def test_it_repeats_the_consoles_request(gate_and_suppressor: Any, attempt: Any, given: str | None) -> None:
    gate, suppressor, _ = gate_and_suppressor
    await suppressor.suppress(attempt.attempt_id, word(attempt, given))
    [asked] = gate.asked
    assert asked.suppression_id == (given or event_id(f"dnc:{attempt.attempt_id}", "suppression"))
    assert (asked.attempt_id, asked.seller_id, asked.source) == (attempt.attempt_id, "*", "AGENT")
    assert asked.requested_at.ToDatetime(tzinfo=word(attempt, given).at.tzinfo) == word(attempt, given).at


@pytest.mark.parametrize("reply", [pb.SuppressReply(unknown=pb.Unknown(reason="not known")), pb.SuppressReply()])
async def test_an_answer_without_force_is_none(gate_and_suppressor: Any, attempt: Any, reply: Any) -> None:
    gate, suppressor, _ = gate_and_suppressor
    gate.reply = reply
    with pytest.raises(GateAway):
        await suppressor.suppress(attempt.attempt_id, word(attempt, None))


async def test_a_gate_that_is_not_there_is_away(gate_and_suppressor: Any, attempt: Any) -> None:
    _, suppressor, server = gate_and_suppressor
    await server.stop(None)
    with pytest.raises(GateAway, match="UNAVAILABLE"):
        await suppressor.suppress(attempt.attempt_id, word(attempt, None))
