"""Calls to the carrier over real loopback sockets, one per kind of callee and per race."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from outdial_sim.recount import recount
from outdial_sim.scenario import Kind, Scenario

pytestmark = pytest.mark.slow

World = Callable[..., Scenario]
LOUD = bytes([0x10, 0x90] * 80)
QUIET = b"\xff" * 160


@pytest.mark.parametrize(
    "kind, status",
    [(Kind.BUSY, 486), (Kind.NOT_FOUND, 404), (Kind.UNAVAILABLE, 503), (Kind.NO_ANSWER, 480)],
)
async def test_calls_that_nobody_answers_end_with_their_status(
    start: Any, world: World, kind: Kind, status: int
) -> None:
    net = await start(world(kind))
    caller = net.caller()
    caller.invite()
    answer = await caller.final()
    caller.ack(answer)
    assert answer.status == status
    assert answer.rtp_port == 0


async def test_a_final_response_is_repeated_until_the_ack(start: Any, world: World) -> None:
    net = await start(world(Kind.NOT_FOUND))
    caller = net.caller()
    caller.invite()
    first, second = await caller.final(), await caller.final()
    assert first.text == second.text
    caller.ack(second)
    await net.line(dir="in", method="ACK")
    await asyncio.sleep(1.2)
    assert len(net.lines(dir="out", status=404)) == 2


async def test_busy_sometimes_names_the_cause_and_sometimes_does_not(start: Any, world: World) -> None:
    reasons = set()
    for seed in range(6):
        net = await start(world(Kind.BUSY, seed=seed))
        caller = net.caller()
        caller.invite()
        answer = await caller.final()
        caller.ack(answer)
        reasons.add(answer.header("Reason"))
    assert reasons == {"", "Q.850;cause=17"}


async def test_an_intercept_is_heard_before_it_is_rejected(start: Any, world: World) -> None:
    net = await start(world(Kind.SIT))
    caller = net.caller()
    caller.invite()
    early = await caller.until(lambda answer: answer.status == 183)
    assert early.rtp_port > 0
    tones = await caller.hear(15)
    assert all(len(set(payload)) > 20 for payload in tones[1:])
    answer = await caller.final()
    caller.ack(answer)
    assert (answer.status, answer.header("Reason")) == (404, "Q.850;cause=1")
    assert net.lines(event="announcement_end")


async def test_a_person_greets_hears_us_and_stays_until_our_bye(start: Any, world: World) -> None:
    net = await start(world(Kind.HUMAN))
    caller = net.caller()
    answer = await caller.answered()
    await net.line(event="greeting_end")
    assert not net.lines(event="heard_audio")
    for _ in range(10):
        caller.speak(answer.rtp_port, LOUD)
        await asyncio.sleep(0.02)
    heard = await net.line(event="heard_audio")
    assert heard["t"] >= net.lines(event="greeting_end")[0]["t"]
    caller.send(caller.request("BYE", cseq=2, branch="z9hG4bKbye"))
    assert (await caller.until(lambda one: "BYE" in one.header("CSeq"))).status == 200
    await net.line(event="call_over", reason="bye")
    assert net.carrier.live_calls == 0


async def test_digital_silence_is_not_audio_that_a_callee_hears(start: Any, world: World) -> None:
    net = await start(world(Kind.HUMAN))
    caller = net.caller()
    answer = await caller.answered()
    for _ in range(20):
        caller.speak(answer.rtp_port, QUIET)
    await net.line(event="greeting_end")
    assert not net.lines(event="heard_audio")


async def test_a_person_who_hangs_up_at_once_sends_a_bye_within_two_seconds(start: Any, world: World) -> None:
    net = await start(world(Kind.HANGUP))
    caller = net.caller()
    await caller.answered()
    bye = await caller.until(lambda one: one.first_line.startswith("BYE"))
    again = await caller.until(lambda one: one.first_line.startswith("BYE"))
    assert bye.text == again.text
    assert "tag=raw" in bye.header("To")
    names = ("Via", "From", "To", "Call-ID", "CSeq")
    reply = "".join(f"{name}: {bye.header(name)}\r\n" for name in names)
    caller.send(f"SIP/2.0 200 OK\r\n{reply}Content-Length: 0\r\n\r\n".encode())
    await net.line(event="call_over", reason="hung_up")
    hung, answered = net.lines(event="hung_up")[0], net.lines(event="answered")[0]
    assert 0.8 <= hung["t"] - answered["t"] < 2.0


async def test_voicemail_speaks_longer_than_a_person_and_then_beeps(start: Any, world: World) -> None:
    net = await start(world(Kind.VOICEMAIL))
    await net.caller().answered()
    await net.line(event="beep_end")
    begun, ended = net.lines(event="greeting_start")[0], net.lines(event="greeting_end")[0]
    assert 4.0 < ended["t"] - begun["t"] < 10.0


async def test_dead_air_sends_room_noise_and_no_speech(start: Any, world: World) -> None:
    net = await start(world(Kind.DEAD_AIR))
    caller = net.caller()
    await caller.answered()
    payloads = await caller.hear(30)
    assert all(len(set(payload)) > 2 for payload in payloads)
    assert not net.lines(event="greeting_start")


async def test_a_200_is_repeated_until_the_ack_and_the_call_counts_once(start: Any, world: World) -> None:
    net = await start(world(Kind.HUMAN))
    caller = net.caller()
    caller.invite()
    first, second = await caller.final(), await caller.final()
    assert first.text == second.text
    caller.ack(second)
    await net.line(event="confirmed")
    assert recount(net.log).humans_answered == 1


async def test_cancel_while_ringing_ends_with_487(start: Any, world: World) -> None:
    net = await start(world(Kind.NO_ANSWER, ring=30.0))
    caller = net.caller()
    caller.invite()
    await caller.until(lambda one: one.status in (180, 183))
    caller.send(caller.request("CANCEL"))
    cancelled = await caller.until(lambda one: "CANCEL" in one.header("CSeq"))
    answer = await caller.final()
    caller.ack(answer)
    assert (cancelled.status, answer.status) == (200, 487)
    assert recount(net.log).answered == 0


async def test_a_cancel_that_crosses_the_200_leaves_the_call_up_until_a_bye(start: Any, world: World) -> None:
    net = await start(world(Kind.HUMAN))
    caller = net.caller()
    caller.invite()
    answer = await caller.final()
    caller.send(caller.request("CANCEL"))
    assert (await caller.until(lambda one: "CANCEL" in one.header("CSeq"))).status == 200
    await net.line(event="cancel_too_late")
    caller.ack(answer)
    await net.line(event="confirmed")
    assert net.carrier.live_calls == 1
    assert recount(net.log).humans_answered == 1


async def test_a_repeated_invite_is_the_same_call(start: Any, world: World) -> None:
    net = await start(world(Kind.NO_ANSWER, ring=30.0))
    caller = net.caller()
    for _ in range(3):
        caller.invite()
        await caller.until(lambda one: one.status in (180, 183))
    assert net.carrier.live_calls == 1
    assert recount(net.log).initial_invites == 1


async def test_without_credentials_an_invite_is_challenged_and_its_retry_is_the_same_invite(
    start: Any, world: World
) -> None:
    net = await start(world(Kind.HUMAN, digest=True))
    caller = net.caller()
    caller.invite()
    challenge = await caller.final()
    assert challenge.status == 407
    caller.send(caller.request("ACK"))
    caller.cseq, caller.branch = 2, "z9hG4bKsecond"
    caller.invite(extra=caller.credentials(challenge))
    assert (await caller.final()).status == 200
    assert recount(net.log).initial_invites == 1


async def test_a_wrong_password_is_forbidden(start: Any, world: World) -> None:
    net = await start(world(Kind.HUMAN, digest=True))
    caller = net.caller()
    caller.invite()
    challenge = await caller.final()
    caller.cseq, caller.branch = 2, "z9hG4bKsecond"
    caller.invite(extra=caller.credentials(challenge, password="guessed"))
    assert (await caller.final()).status == 403


async def test_keys_are_journalled_once_each_however_often_their_packets_repeat(start: Any, world: World) -> None:
    net = await start(world(Kind.VOICEMAIL))
    caller = net.caller()
    answer = await caller.answered()
    for key, stamp in ((5, 1600), (11, 3200)):
        for _ in range(3):
            caller.speak(answer.rtp_port, bytes([key, 0x0A, 0, 160]), payload_type=101, timestamp=stamp)
    await net.line(event="dtmf", key="#")
    assert [line["key"] for line in net.lines(event="dtmf")] == ["5", "#"]


async def test_lost_packets_are_lost_in_the_share_that_the_scenario_says(start: Any, world: World) -> None:
    net = await start(world(Kind.DEAD_AIR, loss=1.0))
    caller = net.caller()
    await caller.answered()
    await asyncio.sleep(0.2)
    with pytest.raises(BlockingIOError):
        caller.rtp.recv(2048)


async def test_requests_outside_a_call_are_answered_and_noise_is_survived(start: Any, world: World) -> None:
    net = await start(world(Kind.HUMAN))
    caller = net.caller()
    caller.send(b"\r\n\r\n")
    caller.send(b"\x80\x00garbage")
    caller.send(b"INVITE sip:x SIP/2.0\r\nVia: broken\r\n\r\n")
    caller.send(caller.request("OPTIONS"))
    assert (await caller.read()).status == 200
    caller.send(caller.request("BYE"))
    assert (await caller.read()).status == 481
    assert net.carrier.counts["malformed"] == 2


async def test_an_offer_without_g711_is_not_acceptable(start: Any, world: World) -> None:
    net = await start(world(Kind.HUMAN))
    caller = net.caller()
    caller.invite(formats="9 101")
    assert (await caller.final()).status == 488


@pytest.mark.parametrize("kind", [Kind.HUMAN, Kind.VOICEMAIL, Kind.DEAD_AIR, Kind.HANGUP])
async def test_nothing_in_the_answer_tells_the_kind(start: Any, world: World, kind: Kind) -> None:
    answers = []
    for one in (Kind.HUMAN, kind):
        net = await start(world(one))
        caller = net.caller()
        caller.invite()
        answers.append(_without_chance((await caller.final()).text))
    assert answers[0] == answers[1]


def _without_chance(text: str) -> str:
    """Ports, tags and session numbers differ from call to call by chance alone."""
    text = re.sub(r"tag=(?!raw)\w+", "tag=T", text)
    text = re.sub(r"o=- \d+", "o=- S", text)
    text = re.sub(r"Content-Length: \d+", "Content-Length: L", text)
    return re.sub(r"(127\.0\.0\.1:|rport=|m=audio )\d+", r"\1P", text)
