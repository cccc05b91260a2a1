"""The gate and the gateways over gRPC."""

from __future__ import annotations

from datetime import datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from console.ports import AttemptUnknown, GateAway, GatewayAway
from outdial_contracts.events import SuppressionSource
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import CallControlStub, ClearanceStub

SUPPRESS_SECONDS = 5.0
HANG_UP_SECONDS = 2.0
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]


class GrpcGate:
    """Implements ports.Gate."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ClearanceStub(channel)

    async def suppress(self, suppression_id: str, attempt_id: str, requested_at: datetime) -> None:
        """One try: who waits for the acknowledgement tries again."""
        stamp = Timestamp()
        stamp.FromDatetime(requested_at)
        request = pb.SuppressRequest(
            suppression_id=suppression_id,
            attempt_id=attempt_id,
            seller_id="*",
            requested_at=stamp,
            source=SuppressionSource.AGENT.value,
        )
        try:
            reply = await self._stub.Suppress(request, timeout=SUPPRESS_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GateAway(error.code().name) from error
        if reply.WhichOneof("result") != "suppressed":
            raise AttemptUnknown(reply.unknown.reason)


class GrpcCalls:
    """Implements ports.Calls; one channel per gateway, kept open."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def hang_up(self, address: str, attempt_id: str, agent_id: str) -> bool:
        """False when the gateway has no such call. Raises GatewayAway."""
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address, options=RECONNECT)
        request = pb.HangUpRequest(attempt_id=attempt_id, agent_id=agent_id)
        try:
            reply = await CallControlStub(self._channels[address]).HangUp(request, timeout=HANG_UP_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GatewayAway(error.code().name) from error
        return bool(reply.found)

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()
