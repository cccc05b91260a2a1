"""The gate over gRPC: Redeem within the grant's time, Suppress for an opt-out by key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from media_gateway.ports import Granted, NotGranted, Unreachable
from outdial_contracts.events import CallDial, SuppressionSource
from outdial_contracts.headers import event_id
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import ClearanceStub
from outdial_runtime.clock import Chance, Clock

REDEEM_SECONDS = 0.25
"""A grant lives 300 ms from before Redeem was sent; the INVITE needs the rest."""
RETRY_SECONDS = 0.03
SUPPRESS_SECONDS = 5.0


class GrpcGate:
    """Implements ports.Gate."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        clock: Clock,
        chance: Chance,
        gateway: tuple[str, str],
        trace: Callable[[str], str],
    ) -> None:
        self._stub = ClearanceStub(channel)
        self._clock, self._chance, self._trace = clock, chance, trace
        self._gateway_id, self._boot_id = gateway

    async def redeem(self, dial: CallDial, leg_no: int) -> Granted | NotGranted | Unreachable:
        """Same nonce for every try, so a reply lost on the way is not a second redemption."""
        started = self._clock.monotonic()
        request = self._request(dial, leg_no)
        while (left := started + REDEEM_SECONDS - self._clock.monotonic()) > 0:
            try:
                reply = await self._stub.Redeem(request, timeout=left, metadata=self._metadata(dial))
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    return Unreachable()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if reply.WhichOneof("result") == "granted":
                deadline = started + reply.granted.grant_ms / 1000
                return Granted(e164=reply.granted.e164, deadline_seconds=deadline)
            return NotGranted()
        return Unreachable()

    async def suppress(self, dial: CallDial, requested_at: datetime) -> None:
        """Tries until the gate answers: an opt-out is never lost to a restart of the gate."""
        request = pb.SuppressRequest(
            suppression_id=event_id(f"keypress:{dial.attempt_id}", "suppression"),
            attempt_id=dial.attempt_id,
            seller_id=dial.seller_id,
            requested_at=_timestamp(requested_at),
            source=SuppressionSource.KEYPRESS.value,
        )
        while True:
            try:
                await self._stub.Suppress(request, timeout=SUPPRESS_SECONDS, metadata=self._metadata(dial))
                return
            except grpc.aio.AioRpcError:
                await asyncio.sleep(1.0)

    def _request(self, dial: CallDial, leg_no: int) -> pb.RedeemRequest:
        return pb.RedeemRequest(
            token=dial.token,
            attempt_id=dial.attempt_id,
            leg_no=leg_no,
            gateway_id=self._gateway_id,
            boot_id=self._boot_id,
            nonce=self._chance.token(),
            mode=dial.mode.value,
            caller_id=dial.caller_id,
            gateway_time=_timestamp(self._clock.now()),
            ring_timeout_seconds=dial.ring_timeout_seconds,
            route_id=dial.route_id,
        )

    def _metadata(self, dial: CallDial) -> list[tuple[str, str]]:
        return [("traceparent", self._trace(dial.attempt_id))]


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
