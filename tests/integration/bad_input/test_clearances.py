"""Clearances forged, replayed and expired, a gate that is away, a shifted clock with a real trunk: no INVITE."""

from __future__ import annotations

import base64
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import grpc
import pytest
import yaml
from bad_input.stand_in import StandIn, invites
from campaign_run import wait_for
from google.protobuf.timestamp_pb2 import Timestamp
from joserfc import jws
from joserfc.jwk import OKPKey

from outdial_contracts.events import (
    CallDial,
    CallDisposition,
    CallEnded,
    ClearanceClosed,
    CloseOutcome,
    ComplianceCleared,
    DialRefusal,
    DialRefused,
    NotDialledReason,
)
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.rpc.outdial_pb2_grpc import ClearanceStub

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
SCENARIO = {
    "schema": 1,
    "seed": 5,
    "clock_start": "2026-11-17T15:00:00Z",
    "agents": {"count": 0, "login_spread_seconds": 1, "talk_mean_seconds": 4, "talk_cv": 0.4, "wrap_mean_seconds": 1},
    "carrier": {"pdd_ms": [50, 100], "digest": True, "loss": 0.0},
    "callees": {"mix": {"busy": 1.0}, "ring_seconds": {"human": [1, 2]}},
}
LATER = timedelta(hours=1)
QUIET_SECONDS = 1.5
"""Longer than a grant (300 ms) and the carrier's answer: an INVITE would have been seen by then."""


@pytest.fixture(scope="module", autouse=True)
def carrier(hand: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A carrier where everybody is busy; no agents."""
    scenario = tmp_path_factory.mktemp("carrier") / "scenario.yaml"
    scenario.write_text(yaml.safe_dump(SCENARIO))
    hand.stack.start_world(scenario, hand.campaign_id, hand.team_id)
    yield
    hand.stack.stop_world()


def test_a_true_clearance_earns_one_invite_however_often_its_dial_is_produced(hand: StandIn) -> None:
    dial = hand.dial(hand.cleared("once"))
    hand.send(dial)
    hand.send(dial)
    hand.wait_events(CallEnded, dial.attempt_id)
    hand.send(dial)
    time.sleep(QUIET_SECONDS)
    assert len(invites(hand.stack.carrier_log, dial.attempt_id)) == 1
    assert len(hand.events(CallEnded, dial.attempt_id)) == 1
    assert [c.outcome for c in hand.events(ClearanceClosed, dial.attempt_id)] == [CloseOutcome.REDEEMED]
    hand.wait_events(CallDisposition, dial.attempt_id)
    print("shown: one call.dial produced three times: one INVITE, one call.ended, one clearance.closed")


def test_another_nonce_for_a_redeemed_attempt_is_already_redeemed(hand: StandIn) -> None:
    dial = hand.dial(hand.cleared("replayed"))
    hand.send(dial)
    hand.wait_events(CallEnded, dial.attempt_id)
    reply = redeem(hand, dial, dial.token)
    assert reply.WhichOneof("result") == "already_redeemed"
    assert len(invites(hand.stack.carrier_log, dial.attempt_id)) == 1
    print("shown: Redeem of a redeemed attempt with another nonce: AlreadyRedeemed, no number told")


Forge = Callable[[str, ComplianceCleared], str]
FORGERIES: dict[str, Forge] = {
    "signed by another key": lambda token, _: signed(claims_of(token), OKPKey.generate_key("Ed25519"), kid_of(token)),
    "signed by another key with a kid nobody knows": lambda token, _: signed(
        claims_of(token), OKPKey.generate_key("Ed25519"), "unknown"
    ),
    "longer life under the old signature": lambda token, _: with_claims(token, exp=claims_of(token)["exp"] + 3600),
    "alg none": lambda token, _: ".".join([encoded({"alg": "none"}), token.split(".")[1], ""]),
    "no signature": lambda token, _: token.rpartition(".")[0] + ".",
    "another attempt's clearance": lambda _, other: other.token,
    "no token at all": lambda *_: "",
    "noise": lambda *_: "a.b.c\u00e4",
}


@pytest.fixture(scope="module")
def two(hand: StandIn) -> tuple[ComplianceCleared, ComplianceCleared]:
    """An offer to forge for, and another one."""
    return hand.cleared("forged"), hand.cleared("other")


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_clearance_is_refused_by_gateway_and_gate(
    hand: StandIn, two: tuple[ComplianceCleared, ComplianceCleared], forgery: str
) -> None:
    mine, other = two
    token = FORGERIES[forgery](mine.token, other)
    dial = hand.dial(mine, token=token, expires_at=mine.expires_at + LATER)
    hand.send(dial)
    assert refused(hand, dial) is DialRefusal.BAD_CLEARANCE
    reply = redeem(hand, dial, token)
    assert reply.WhichOneof("result") == "refused"
    assert list(reply.refused.reasons) == ["CLEARANCE_FORGED"]
    assert invites(hand.stack.carrier_log, mine.attempt_id) == set()
    assert not [c for c in hand.events(ClearanceClosed, mine.attempt_id) if c.outcome is CloseOutcome.REDEEMED]
    print(f"shown: clearance, {forgery}: gateway BAD_CLEARANCE, gate CLEARANCE_FORGED, no INVITE")


def test_an_attempt_id_that_is_none_earns_nothing(
    hand: StandIn, two: tuple[ComplianceCleared, ComplianceCleared]
) -> None:
    before = len(hand.records("call.dial.dead"))
    for n, attempt_id in enumerate(("", "not-a-uuid")):
        dial = hand.dial(two[0], attempt_id=attempt_id, expires_at=two[0].expires_at + LATER)
        hand.send(dial)
        wait_for(lambda n=n: len(hand.records("call.dial.dead")) == before + n + 1, "the dead letter")
        assert redeem(hand, dial, dial.token).WhichOneof("result") == "refused"
    dial = hand.dial(two[0], attempt_id="a\x00b")
    with pytest.raises(grpc.RpcError, match="INTERNAL"):  # nothing of it can be written down, so nothing is granted
        redeem(hand, dial, dial.token)


def test_a_dial_too_late_is_refused(hand: StandIn) -> None:
    cleared = hand.cleared("late")
    dial = hand.dial(cleared, expires_at=cleared.cleared_at)
    hand.send(dial)
    assert refused(hand, dial) is DialRefusal.EXPIRED
    wait_for(lambda: hand.now() > cleared.expires_at + timedelta(seconds=2), "the clearance's end")
    hand.wait_events(ClearanceClosed, dial.attempt_id)
    again = hand.dial(cleared, expires_at=cleared.expires_at + LATER)
    hand.send(again)
    assert refused(hand, again) is DialRefusal.EXPIRED
    reply = redeem(hand, again, again.token)
    assert reply.WhichOneof("result") == "refused"
    assert "CLEARANCE_EXPIRED" in reply.refused.reasons
    assert invites(hand.stack.carrier_log, dial.attempt_id) == set()
    assert [c.outcome for c in hand.events(ClearanceClosed, dial.attempt_id)] == [CloseOutcome.LAPSED]
    print(f"shown: expired dial and expired clearance: EXPIRED; Redeem refused with {list(reply.refused.reasons)}")


def test_an_unreachable_gate_means_no_invite(hand: StandIn) -> None:
    dial = hand.dial(hand.cleared("gate-away"))
    hand.stack.kill("compliance-gate", signal.SIGKILL)
    try:
        hand.send(dial)
        (ended,) = hand.wait_events(CallEnded, dial.attempt_id)
        time.sleep(QUIET_SECONDS)
    finally:
        hand.stack.restart("compliance-gate")
    assert (ended.dialled, ended.not_dialled_reason) == (False, NotDialledReason.GATE_UNREACHABLE)
    assert invites(hand.stack.carrier_log, dial.attempt_id) == set()
    (closed,) = hand.wait_events(ClearanceClosed, dial.attempt_id, seconds=60)
    assert closed.outcome is CloseOutcome.LAPSED
    back = hand.dial(hand.cleared("gate-back"))
    hand.send(back)
    hand.wait_events(CallEnded, back.attempt_id)
    assert len(invites(hand.stack.carrier_log, back.attempt_id)) == 1
    print(
        "shown: gate killed: call.ended dialled=false GATE_UNREACHABLE, no INVITE, offer lapsed; gate back: one INVITE"
    )


@pytest.mark.parametrize("others", ["alone", "beside a loopback trunk"])
def test_a_shifted_clock_never_dials_a_real_trunk(hand: StandIn, others: str) -> None:
    """The gateway's only way to a number is Redeem; it must not even ask, and the loopback trunk must stay silent."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as trunk:
        trunk.bind(("127.0.0.1", 0))
        trunk.setblocking(False)
        trunks = [("192.0.2.10", 5060)]  # TEST-NET-1, RFC 5737
        if others != "alone":
            trunks.insert(0, trunk.getsockname())
        route_id = f"real-{len(trunks)}"
        hand.services.publish_route(hand.route(route_id, *trunks))
        cleared = hand.cleared(f"shifted-{len(trunks)}")
        dial = hand.dial(cleared, route_id=route_id)
        hand.send(dial)
        assert refused(hand, dial) is DialRefusal.SHIFTED_CLOCK
        time.sleep(QUIET_SECONDS)
        with pytest.raises(BlockingIOError):
            trunk.recv(2048)
    (closed,) = hand.wait_events(ClearanceClosed, dial.attempt_id, seconds=60)
    assert closed.outcome is CloseOutcome.LAPSED
    assert invites(hand.stack.carrier_log, dial.attempt_id) == set()
    print(f"shown: shifted clock, trunk 192.0.2.10 {others}: SHIFTED_CLOCK, never redeemed, no datagram")


def refused(hand: StandIn, dial: CallDial) -> DialRefusal:
    """The gateway's refusal of this very dial."""
    found: list[DialRefused] = []

    def came() -> bool:
        found[:] = [r for r in hand.events(DialRefused, dial.attempt_id) if r.lease_id == dial.lease_id]
        return bool(found)

    wait_for(came, "dial.refused", 20)
    return found[0].reason


def redeem(hand: StandIn, dial: CallDial, token: str) -> Any:
    """Asks the gate directly, as a gateway of another boot would."""
    stamp = Timestamp()
    stamp.FromDatetime(hand.now())
    request = pb.RedeemRequest(
        token=token,
        attempt_id=dial.attempt_id,
        leg_no=1,
        gateway_id="gateway-9",
        boot_id="another-boot",
        nonce=f"nonce-{time.monotonic_ns()}",
        mode=dial.mode.value,
        caller_id=dial.caller_id,
        gateway_time=stamp,
        ring_timeout_seconds=dial.ring_timeout_seconds,
        route_id=dial.route_id,
    )
    with grpc.insecure_channel(hand.stack.addresses.grpc("compliance-gate")) as channel:
        return ClearanceStub(channel).Redeem(request, timeout=5)


def encoded(part: dict[str, Any]) -> str:
    """A part of a JWS: JSON as base64url without padding."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def decoded(part: str) -> dict[str, Any]:
    """The JSON of a part."""
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def claims_of(token: str) -> dict[str, Any]:
    """Its payload."""
    return decoded(token.split(".")[1])


def kid_of(token: str) -> str:
    """The key its header names."""
    return str(decoded(token.split(".")[0])["kid"])


def with_claims(token: str, **claims: Any) -> str:
    """Other claims under the signature as it was."""
    header, _, signature = token.split(".")
    return ".".join([header, encoded({**claims_of(token), **claims}), signature])


def signed(claims: dict[str, Any], key: OKPKey, kid: str) -> str:
    """A well-formed JWS of a key that is not the gate's."""
    header = {"alg": "Ed25519", "kid": kid}
    return jws.serialize_compact(header, json.dumps(claims).encode(), key, algorithms=["Ed25519"])
