"""Redeem at a steady pace, as gateways ask: each at its own instant, however long the ones before take."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from bench.gate_stack import GateStack
from outdial_contracts.events import ComplianceCleared
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import ClearanceStub

RING_SECONDS = 18
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Redeems:
    """What callers saw; ms from the instant a Redeem was due."""

    granted: int
    others: int
    """Refused, or failed."""
    p50_ms: float
    p99_ms: float
    longest_ms: float

    def __str__(self) -> str:
        others = f", {self.others} not" if self.others else ""
        return f"{self.granted} granted{others}, p50 {self.p50_ms:.1f} p99 {self.p99_ms:.1f} ms"


async def redeem_at(stack: GateStack, cleared: Sequence[ComplianceCleared], per_second: float) -> Redeems:
    """Redeems each of them once."""
    async with grpc.aio.insecure_channel(stack.grpc_address) as channel:
        stub = ClearanceStub(channel)
        started = time.monotonic()
        asked = [_one(stack, stub, one, started + n / per_second) for n, one in enumerate(cleared)]
        answers = await asyncio.gather(*asked)
    times = sorted(ms for _, ms in answers)
    results = Counter(result for result, _ in answers)
    return Redeems(
        granted=results["granted"],
        others=len(answers) - results["granted"],
        p50_ms=times[len(times) // 2],
        p99_ms=times[len(times) * 99 // 100],
        longest_ms=times[-1],
    )


async def _one(stack: GateStack, stub: ClearanceStub, cleared: ComplianceCleared, due: float) -> tuple[str, float]:
    await asyncio.sleep(due - time.monotonic())
    message = pb.RedeemRequest(
        token=cleared.token,
        attempt_id=cleared.attempt_id,
        leg_no=1,
        gateway_id="bench",
        boot_id="bench",
        nonce=cleared.attempt_id,
        mode="LIVE_AUTODIALED",
        caller_id="+12125550101",
        ring_timeout_seconds=RING_SECONDS,
        route_id="bench",
    )
    message.gateway_time.FromDatetime(stack.now())
    try:
        reply = await stub.Redeem(message, timeout=TIMEOUT_SECONDS)  # type: ignore[misc]  # an aio channel
        result = str(reply.WhichOneof("result"))
    except grpc.aio.AioRpcError as error:
        result = error.code().name
    return result, (time.monotonic() - due) * 1000
