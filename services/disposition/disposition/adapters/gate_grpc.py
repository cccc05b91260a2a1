"""An agent's opt-out, told to the gate once more under the same id: the console told it before."""

from __future__ import annotations

from datetime import datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from disposition.domain.record import AttemptRecord
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

    async def suppress(self, record: AttemptRecord, requested_at: datetime) -> None:
        """Returns once it is in force. Raises GateAway."""
        attempt_id = record.head.attempt_id
        given = record.wrapup.suppression_id if record.wrapup else None
        stamp = Timestamp()
        stamp.FromDatetime(requested_at)
        request = pb.SuppressRequest(
            suppression_id=given or event_id(f"dnc:{attempt_id}", "suppression"),
            attempt_id=attempt_id,
            seller_id="*",
            requested_at=stamp,
            source=SuppressionSource.AGENT.value,
        )
        try:
            await self._stub.Suppress(request, timeout=SUPPRESS_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise GateAway(f"Suppress: {error.code().name}") from error
