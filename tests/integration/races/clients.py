"""The gate's clients: a redeemer that asks until it is answered, a gateway that has 300 ms, and people who opt out."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType

import grpc
import httpx
from google.protobuf.timestamp_pb2 import Timestamp

from media_gateway.adapters.gate_grpc import GrpcGate
from media_gateway.ports import Granted, NotGranted
from outdial_contracts.events import CallMode, ComplianceCleared
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import ClearanceStub
from outdial_runtime.clock import SystemChance, SystemClock
from tests.integration.races import people
from tests.integration.races.history import Answer, History, Invited, OptOut, Result

TRY_SECONDS = 5.0
AGAIN_SECONDS, LATER_SECONDS = 0.1, 1.0
"""Between two tries: doubled each time, up to the longer one."""
PATIENCE_SECONDS = 90.0
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 400)]
ROUND_ROBIN = [("grpc.lb_policy_name", "round_robin"), *RECONNECT]


@dataclass(frozen=True, kw_only=True)
class Who:
    """Whom a suppression means: exactly one of the three is asked for, and all are bound by it."""

    attempt_id: str = ""
    person: str = ""
    number: str = ""


class Clients:
    """Channels to every replica; everything that is asked goes into the history."""

    def __init__(self, grpc_addresses: Sequence[str], http_urls: Sequence[str], clock: SystemClock, seen: History):
        self._urls, self._clock, self._seen = list(http_urls), clock, seen
        self._channels = [grpc.aio.insecure_channel(address, options=RECONNECT) for address in grpc_addresses]
        self._stubs = [ClearanceStub(channel) for channel in self._channels]
        everywhere = "ipv4:" + ",".join(grpc_addresses)
        self._channels.append(grpc.aio.insecure_channel(everywhere, options=ROUND_ROBIN))
        self._gate = GrpcGate(self._channels[-1], clock, SystemChance(), ("gateway-0", "boot-0"), traceparent)
        self._http = httpx.AsyncClient(timeout=TRY_SECONDS)

    async def __aenter__(self) -> Clients:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        for channel in self._channels:
            await channel.close()

    def now(self) -> datetime:
        """The gate's clock."""
        return self._clock.now()

    async def redeem(self, cleared: ComplianceCleared, nonce: str, chance: random.Random) -> Answer:
        """Asks one replica after another, with the same nonce, until one answers."""
        asked_at, tries = time.monotonic(), 0
        while time.monotonic() < asked_at + PATIENCE_SECONDS:
            tries += 1
            try:
                reply = await chance.choice(self._stubs).Redeem(self._request(cleared, nonce), timeout=TRY_SECONDS)
            except grpc.aio.AioRpcError as error:
                self._note(error, "Redeem")
                await asyncio.sleep(min(AGAIN_SECONDS * 2**tries, LATER_SECONDS))
                continue
            answer = Answer(
                attempt_id=cleared.attempt_id,
                nonce=nonce,
                asked_at=asked_at,
                answered_at=time.monotonic(),
                result=Result(reply.WhichOneof("result")),
                reasons=tuple(reply.refused.reasons),
                record=reply.granted.ledger_record,
                tries=tries,
            )
            self._seen.answers.append(answer)
            return answer
        unanswered = Answer(
            attempt_id=cleared.attempt_id,
            nonce=nonce,
            asked_at=asked_at,
            answered_at=time.monotonic(),
            result=Result.UNANSWERED,
            tries=tries,
        )
        self._seen.answers.append(unanswered)
        return unanswered

    async def dial(self, cleared: ComplianceCleared, chance: random.Random) -> Result:
        """Redeems with the gateway's own adapter, and INVITEs late within the grant, or not at all."""
        asked_at = time.monotonic()
        answer = await self._gate.redeem(people.dial(cleared), 1)
        result = Result.UNANSWERED
        if isinstance(answer, NotGranted):
            result = Result.NOT_GRANTED
        if isinstance(answer, Granted):
            result = Result.GRANTED
        self._seen.answers.append(
            Answer(
                attempt_id=cleared.attempt_id,
                nonce="gateway",
                asked_at=asked_at,
                answered_at=time.monotonic(),
                result=result,
            )
        )
        if isinstance(answer, Granted):
            left = answer.deadline_seconds - time.monotonic()
            await asyncio.sleep(max(0.0, left * chance.random()))
            # As the gateway does it: looked at once more with nothing in between.
            at = time.monotonic()
            if at < answer.deadline_seconds:
                self._seen.invited.append(Invited(attempt_id=cleared.attempt_id, at=at))
        return result

    async def opt_out(self, who: Who, bound: OptOut, chance: random.Random) -> OptOut:
        """By rpc or by HTTP, one replica after another under one suppression_id, until one acknowledges it."""
        asked_at, tries, acknowledged = time.monotonic(), 0, False
        while not acknowledged and time.monotonic() < asked_at + PATIENCE_SECONDS:
            tries += 1
            replica = chance.randrange(len(self._stubs))
            ask = self._suppress if bound.how == "grpc" else self._post
            acknowledged = await ask(replica, who, bound.suppression_id)
            if not acknowledged:
                await asyncio.sleep(min(AGAIN_SECONDS * 2**tries, LATER_SECONDS))
        done = OptOut(
            suppression_id=bound.suppression_id,
            how=bound.how,
            persons=bound.persons,
            numbers=bound.numbers,
            asked_at=asked_at,
            acknowledged_at=time.monotonic() if acknowledged else None,
            tries=tries,
        )
        self._seen.opt_outs.append(done)
        return done

    async def _suppress(self, replica: int, who: Who, suppression_id: str) -> bool:
        message = pb.SuppressRequest(
            suppression_id=suppression_id, requested_at=stamp(self._clock.now()), source="AGENT"
        )
        if who.attempt_id:
            message.attempt_id = who.attempt_id
        elif who.person:
            message.person_id = who.person
        else:
            message.e164 = who.number
        try:
            reply = await self._stubs[replica].Suppress(message, timeout=TRY_SECONDS)
        except grpc.aio.AioRpcError as error:
            self._note(error, "Suppress")
            return False
        return bool(reply.HasField("suppressed"))

    async def _post(self, replica: int, who: Who, suppression_id: str) -> bool:
        named = {"attempt_id": who.attempt_id, "person_id": who.person, "phone": who.number}
        body = {"suppression_id": suppression_id, "source": "WEB_FORM", "seller_id": "*"}
        body |= {name: value for name, value in named.items() if value}
        try:
            reply = await self._http.post(f"{self._urls[replica]}/v1/opt-outs", json=body)
        except httpx.HTTPError:
            return False
        if reply.status_code not in (200, 503):
            self._seen.failed_inside.append(f"POST /v1/opt-outs: {reply.status_code}")
        return reply.status_code == 200

    def _note(self, error: grpc.aio.AioRpcError, method: str) -> None:
        """Away is what the storm makes it; anything else is the gate's own fault, and asked again all the same."""
        if error.code() not in AWAY:
            self._seen.failed_inside.append(f"{method}: {error.code().name}")

    def _request(self, cleared: ComplianceCleared, nonce: str) -> pb.RedeemRequest:
        """Asked now: a gateway's clock is looked at anew in each try."""
        return pb.RedeemRequest(
            token=cleared.token,
            attempt_id=cleared.attempt_id,
            leg_no=1,
            gateway_id=f"gateway-{nonce}",
            boot_id="boot-0",
            nonce=nonce,
            mode=CallMode.LIVE_AUTODIALED.value,
            caller_id=people.CALLER_ID,
            gateway_time=stamp(self._clock.now()),
            ring_timeout_seconds=people.RING_SECONDS,
            route_id=people.ROUTE,
        )


def traceparent(attempt_id: str) -> str:
    """W3C trace context of an attempt."""
    return f"00-{uuid.UUID(attempt_id).hex}-{'1' * 16}-01"


def stamp(at: datetime) -> Timestamp:
    """Protobuf's form."""
    made = Timestamp()
    made.FromDatetime(at.astimezone(UTC))
    return made


def seconds_between(start: datetime, at: datetime) -> float:
    """As a monotonic clock counts them."""
    return (at - start) / timedelta(seconds=1)
