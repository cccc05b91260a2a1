"""The pacer over gRPC: which agent takes this person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from media_gateway.ports import AssignedAgent
from outdial_contracts.events import CallDial
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import AgentRouterStub

ASSIGN_SECONDS = 0.4
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]


class Channels:
    """One channel per address, kept open."""

    def __init__(self) -> None:
        self._by_address: dict[str, grpc.aio.Channel] = {}

    def to(self, address: str) -> grpc.aio.Channel:
        """The channel to host:port."""
        if address not in self._by_address:
            self._by_address[address] = grpc.aio.insecure_channel(address, options=RECONNECT)
        return self._by_address[address]

    async def close(self) -> None:
        """Closes all of them."""
        for channel in self._by_address.values():
            await channel.close()
        self._by_address.clear()


class GrpcAgentRouter:
    """Implements ports.AgentRouter."""

    def __init__(self, channels: Channels, gateway_id: str, trace: Callable[[str], str]) -> None:
        self._channels, self._gateway_id, self._trace = channels, gateway_id, trace

    async def assign(
        self, dial: CallDial, address: str, greeting_ended_at: datetime, within_seconds: float
    ) -> AssignedAgent | None:
        """None also when the pacer did not answer: the caller asks again until the law's limit."""
        stamp = Timestamp()
        stamp.FromDatetime(greeting_ended_at)
        request = pb.AssignRequest(
            attempt_id=dial.attempt_id,
            campaign_id=dial.campaign_id,
            team_id=dial.team_id,
            greeting_ended_at=stamp,
            gateway_id=self._gateway_id,
        )
        metadata = [("traceparent", self._trace(dial.attempt_id))]
        try:
            reply = await AgentRouterStub(self._channels.to(address)).Assign(
                request, timeout=min(ASSIGN_SECONDS, within_seconds), metadata=metadata
            )
        except grpc.aio.AioRpcError:
            return None
        if reply.WhichOneof("result") != "assigned":
            return None
        a = reply.assigned
        return AssignedAgent(
            agent_id=a.agent_id,
            leg_id=a.leg_id,
            gateway_id=a.gateway_id,
            gateway_address=a.gateway_address,
            epoch=a.epoch,
            lease_id=a.lease_id,
        )
