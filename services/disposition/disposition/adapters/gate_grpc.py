"""An agent's opt-out, told to the gate once more under the same id: the console told it before."""

from __future__ import annotations

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from disposition.domain.record import Wrapup
from disposition.ports import GateAway
from outdial_contracts.events import SuppressionSource
from outdial_contracts.headers import event_id
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import ClearanceStub

SUPPRESS_SECONDS = 5.0
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]


class GrpcSuppressor:
    """Implements ports.Suppressor."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ClearanceStub(channel)

    async def suppress(self, attempt_id: str, wrapup: Wrapup) -> None:
        """Returns once it is in force. Raises GateAway, also when the gate (restored?) doesn't know the attempt yet."""
        stamp = Timestamp()
        stamp.FromDatetime(wrapup.at)
        request = pb.SuppressRequest(
            suppression_id=wrapup.suppression_id or event_id(f"dnc:{attempt_id}", "suppression"),
            attempt_id=attempt_id,
            seller_id="*",
            requested_at=stamp,
            source=SuppressionSource.AGENT.value,
        )
        try:
            reply = await self._stub.Suppress(request, timeout=SUPPRESS_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GateAway(f"Suppress: {error.code().name}") from error
        if reply.WhichOneof("result") != "suppressed":
            raise GateAway(f"Suppress: {reply.unknown.reason or 'no answer'}")
