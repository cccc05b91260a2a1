"""One endpoint against a hand-written peer: what the callee's side may do to us, and what we owe it."""

import itertools
from typing import TypeVar

import pytest

from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.digest import Credentials
from media_gateway.sip.endpoint import Endpoint, Output
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import (
    Alerting,
    Answered,
    Discarded,
    DiscardReason,
    Ended,
    EndedBy,
    EndReason,
    Event,
    GhostEnded,
    MediaChanged,
    Proceeding,
)
from media_gateway.sip.invitation import Invitation
from media_gateway.sip.message import Headers, Request, Response, parse_message, respond
from media_gateway.sip.sdp import offer

CARRIER = ("192.0.2.1", 5060)
SDP = offer(address="192.0.2.5", port=4000, session_id=1).to_bytes()
CALL_ID = "a.1@gw"
EventT = TypeVar("EventT", bound=Event)


class Line:
    """A call on its way to a carrier whose every message the test writes; keeps what was sent and told."""

    def __init__(self, *, credentials: Credentials | None = None) -> None:
        tokens = (f"token{number}" for number in itertools.count())
        identity = LocalIdentity(host="10.0.0.1", port=5070, user_agent="gw", new_token=lambda: next(tokens))
        self.endpoint = Endpoint(identity=identity)
        self.sent: list[Request | Response] = []
        self.hops: list[tuple[str, int]] = []
        self.events: list[Event] = []
        invitation = Invitation(
            call_id=CALL_ID,
            destination=CARRIER,
            target="sip:+12125550123@192.0.2.1",
            caller="sip:+12125550100@gw",
            display='Acme "West"',
            sdp=offer(address="10.0.0.1", port=40000, session_id=1),
            credentials=credentials,
            headers=(("X-Traceparent", "00-aa-bb-01"),),
        )
        self.take(self.endpoint.invite(invitation, 0.0))

    def take(self, output: Output) -> None:
        self.sent += [parse_message(datagram.data) for datagram in output.datagrams]
        self.hops += [datagram.destination for datagram in output.datagrams]
        self.events += output.events

    def invite(self) -> Request:
        return self.requests("INVITE")[-1]

    def requests(self, method: str) -> list[Request]:
        return [message for message in self.sent if isinstance(message, Request) and message.method == method]

    def statuses(self) -> list[int]:
        return [message.status for message in self.sent if isinstance(message, Response)]

    def of(self, kind: type[EventT]) -> list[EventT]:
        return [event for event in self.events if isinstance(event, kind)]

    def reply(
        self, status: int, now: float, *, tag: str = "t1", headers: Headers = (), body: bytes = b"", to: str = "INVITE"
    ) -> None:
        contact: Headers = (("Contact", "<sip:callee@192.0.2.5:5080>"),) if to == "INVITE" and status > 100 else ()
        answer = respond(
            self.requests(to)[-1], status, to_tag=tag if status > 100 else "", headers=(*contact, *headers), body=body
        )
        self.take(self.endpoint.receive(answer.to_bytes(), CARRIER, now))

    def ask(self, method: str, number: int, now: float, *, tag: str = "t1", body: bytes = b"") -> None:
        asked = Request(
            method=method,
            uri="sip:10.0.0.1:5070",
            headers=(
                ("Via", f"SIP/2.0/UDP 192.0.2.5:5080;branch=z9hG4bK{method}{number}{tag}"),
                ("From", f"<sip:callee@192.0.2.1>;tag={tag}"),
                ("To", self.invite().first("From") or ""),
                ("Call-ID", CALL_ID),
                ("CSeq", f"{number} {method}"),
                ("Contact", "<sip:callee@192.0.2.6:5090>"),
                ("Reason", "Q.850;cause=16"),
            ),
            body=body,
        )
        self.take(self.endpoint.receive(asked.to_bytes(), ("192.0.2.5", 5080), now))

    def hang_up(self, now: float) -> None:
        self.take(self.endpoint.hang_up(CALL_ID, now))

    def run(self, until: float) -> None:
        while (due := self.endpoint.next_timeout()) is not None and due <= until:
            self.take(self.endpoint.handle_timers(due))

    def ended(self) -> Ended:
        (ended,) = self.of(Ended)
        return ended


def test_answered_call_tells_every_step_with_its_time() -> None:
    line = Line()
    line.reply(100, 0.1)
    line.reply(180, 1.0)
    line.reply(180, 2.0)
    line.reply(183, 3.0, body=SDP)
    line.reply(200, 5.0, body=SDP)
    line.hang_up(9.0)
    line.reply(200, 9.1, to="BYE")
    assert [type(event) for event in line.events] == [Proceeding, Alerting, Alerting, Answered, Ended]
    times = line.ended().times
    assert (times.invite, times.trying, times.ringing, times.early_media) == (0.0, 0.1, 1.0, 3.0)
    assert (times.answer, times.ack, times.bye, times.end) == (5.0, 5.0, 9.0, 9.0)
    assert line.invite().first("x-traceparent") == "00-aa-bb-01"
    assert line.invite().from_.display == 'Acme "West"'
    line.run(60.0)
    assert line.endpoint.idle


def test_in_dialog_requests_follow_the_reversed_route_to_the_contact() -> None:
    line = Line()
    routes: Headers = (("Record-Route", "<sip:192.0.2.8:5061;lr>, <sip:192.0.2.7;lr>"),)
    line.reply(200, 1.0, body=SDP, headers=routes)
    line.hang_up(2.0)
    ack, bye = line.requests("ACK")[0], line.requests("BYE")[0]
    assert ack.uri == bye.uri == "sip:callee@192.0.2.5:5080"
    assert bye.every("Route") == ("<sip:192.0.2.7;lr>", "<sip:192.0.2.8:5061;lr>")
    assert line.hops[-1] == ("192.0.2.7", 5060)
    assert (ack.cseq.number, bye.cseq.number) == (1, 2)
    assert ack.via.branch != line.invite().via.branch


def test_strict_router_gets_itself_in_the_request_line() -> None:
    line = Line()
    line.reply(200, 1.0, body=SDP, headers=(("Record-Route", "<sip:192.0.2.7>"),))
    ack = line.requests("ACK")[0]
    assert ack.uri == "sip:192.0.2.7"
    assert ack.every("Route") == ("<sip:callee@192.0.2.5:5080>",)


def test_every_repeat_of_the_answer_is_acknowledged_and_told_once() -> None:
    line = Line()
    for now in (1.0, 1.5, 2.5, 40.0):
        line.run(now)
        line.reply(200, now, body=SDP)
    assert len(line.requests("ACK")) == 4
    assert len(line.of(Answered)) == 1


def test_cancel_waits_for_the_first_provisional_response() -> None:
    line = Line()
    line.hang_up(0.1)
    line.run(1.0)
    assert not line.requests("CANCEL")
    line.reply(100, 1.1)
    assert len(line.requests("CANCEL")) == 1
    line.reply(200, 1.2, to="CANCEL")
    line.reply(487, 1.3)
    ended = line.ended()
    assert (ended.by, ended.reason, ended.status, ended.times.cancel) == (EndedBy.LOCAL, EndReason.CANCELLED, 487, 1.1)


@pytest.mark.parametrize("provisional", [True, False])
def test_answer_crossing_our_cancel_is_acknowledged_and_hung_up_at_once(provisional: bool) -> None:
    line = Line()
    if provisional:
        line.reply(180, 0.5)
    line.hang_up(1.0)
    line.reply(200, 1.1, body=SDP)
    assert [message.method for message in line.sent[-2:] if isinstance(message, Request)] == ["ACK", "BYE"]
    assert line.of(Answered)[0].crossed_cancel
    assert line.ended().reason is EndReason.CROSSED


def test_unanswered_cancel_ends_with_unknown_status_and_a_late_answer_is_still_hung_up() -> None:
    line = Line()
    line.reply(180, 0.5)
    line.hang_up(1.0)
    line.run(33.1)
    assert (line.ended().reason, line.ended().status) == (EndReason.CANCEL_UNANSWERED, None)
    assert line.endpoint.idle
    line.reply(200, 34.0, body=SDP)
    assert [type(event) for event in line.events[-1:]] == [GhostEnded]
    assert len(line.requests("BYE")) == 1


def test_second_forks_answer_is_acknowledged_and_hung_up_while_the_first_talks() -> None:
    line = Line()
    line.reply(200, 1.0, body=SDP, tag="one")
    line.reply(200, 1.1, body=SDP, tag="two")
    line.reply(200, 1.6, body=SDP, tag="two")
    assert [ack.to_tag for ack in line.requests("ACK")] == ["one", "two", "two"]
    assert [bye.to_tag for bye in line.requests("BYE")] == ["two"]
    assert not line.of(Ended)


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_refusal_ends_the_call_with_its_code_cause_and_delay(status: int) -> None:
    line = Line()
    line.reply(status, 1.0, headers=(("Reason", "Q.850;cause=34"), ("Retry-After", "30"), ("Contact", "<sip:b@h>")))
    ended = line.ended()
    assert (ended.by, ended.reason, ended.status) == (EndedBy.REMOTE, EndReason.REJECTED, status)
    assert (ended.q850, ended.retry_after_seconds) == (34, 30)
    assert len(line.requests("INVITE")) == 1


def test_timer_b_ends_with_unknown_status() -> None:
    line = Line()
    line.run(32.0)
    ended = line.ended()
    assert (ended.by, ended.reason, ended.status) == (EndedBy.NOBODY, EndReason.TIMER_B, None)
    assert len(line.requests("INVITE")) == 7


def test_ringing_is_bounded_by_nobody_but_the_caller() -> None:
    line = Line()
    line.reply(180, 0.5)
    line.run(600.0)
    assert not line.of(Ended)


def test_invite_the_socket_refused_called_nobody() -> None:
    line = Line()
    output = line.endpoint.invite(_copy_of_invitation("b.1@gw"), 0.0)
    line.take(line.endpoint.not_sent(output.datagrams[0], 0.0))
    ended = line.ended()
    assert (ended.call_id, ended.by, ended.reason) == ("b.1@gw", EndedBy.LOCAL, EndReason.NOT_SENT)
    assert line.endpoint.live_call_ids == {CALL_ID}


def _copy_of_invitation(call_id: str) -> Invitation:
    sdp = offer(address="10.0.0.1", port=40000, session_id=1)
    return Invitation(call_id=call_id, destination=CARRIER, target="sip:x@192.0.2.1", caller="sip:y@gw", sdp=sdp)


CHALLENGE: Headers = (("Proxy-Authenticate", 'Digest realm="c", nonce="n1", qop="auth"'),)
STALE: Headers = (("Proxy-Authenticate", 'Digest realm="c", nonce="n2", qop="auth", stale=true'),)
TRUNK = Credentials(username="trunk", password="secret")


def test_challenge_is_answered_once_under_the_same_call_id() -> None:
    line = Line(credentials=TRUNK)
    line.reply(407, 0.1, headers=CHALLENGE)
    first, second = line.requests("INVITE")
    assert (first.call_id, first.from_tag) == (second.call_id, second.from_tag)
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert first.via.branch != second.via.branch
    line.reply(407, 0.2, headers=CHALLENGE)
    assert len(line.requests("INVITE")) == 2
    assert line.ended().status == 407


def test_stale_nonce_is_worth_one_more_try_and_no_more() -> None:
    line = Line(credentials=TRUNK)
    for now, headers in ((0.1, CHALLENGE), (0.2, STALE), (0.3, STALE)):
        line.reply(407, now, headers=headers)
    assert len(line.requests("INVITE")) == 3
    assert line.ended().status == 407


def test_acknowledgement_and_bye_carry_credentials_once_challenged() -> None:
    line = Line(credentials=TRUNK)
    line.reply(407, 0.1, headers=CHALLENGE)
    line.reply(200, 0.2, body=SDP)
    line.hang_up(1.0)
    invite, ack, bye = line.invite(), line.requests("ACK")[-1], line.requests("BYE")[0]
    assert ack.first("Proxy-Authorization") == invite.first("Proxy-Authorization")
    assert "nc=00000002" in (bye.first("Proxy-Authorization") or "")


def test_challenge_without_credentials_or_after_a_wish_to_end_is_not_answered() -> None:
    poor = Line()
    poor.reply(407, 0.1, headers=CHALLENGE)
    assert poor.ended().status == 407
    cancelled = Line(credentials=TRUNK)
    cancelled.hang_up(0.05)
    cancelled.reply(407, 0.1, headers=CHALLENGE)
    assert len(cancelled.requests("INVITE")) == 1


def test_challenged_bye_is_sent_again_with_credentials() -> None:
    line = Line(credentials=TRUNK)
    line.reply(200, 0.2, body=SDP)
    line.hang_up(1.0)
    line.reply(407, 1.1, headers=CHALLENGE, to="BYE")
    line.reply(407, 1.2, headers=CHALLENGE, to="BYE")
    assert [bye.first("Proxy-Authorization") is not None for bye in line.requests("BYE")] == [False, True]
    line.run(60.0)
    assert line.endpoint.idle


@pytest.mark.parametrize("body", [b"", b"garbage", b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4 RTP/AVP 18\r\n"])
def test_answer_without_usable_description_is_hung_up(body: bytes) -> None:
    line = Line()
    line.reply(200, 1.0, body=body)
    assert line.ended().reason is EndReason.BAD_ANSWER
    assert len(line.requests("BYE")) == 1


def test_answer_without_description_uses_that_of_the_early_media() -> None:
    line = Line()
    line.reply(183, 0.5, body=SDP)
    line.reply(200, 1.0)
    assert line.of(Answered)[0].sdp.port == 4000


def test_callee_hanging_up_is_confirmed_and_told_with_its_cause() -> None:
    line = Line()
    line.reply(200, 1.0, body=SDP)
    line.ask("BYE", 1, 2.0)
    line.ask("BYE", 1, 2.5)
    assert line.statuses() == [200, 200]
    ended = line.ended()
    assert (ended.by, ended.reason, ended.q850, ended.times.bye) == (EndedBy.REMOTE, EndReason.HUNG_UP, 16, 2.0)
    line.hang_up(3.0)
    assert not line.requests("BYE")


def test_reinvite_is_answered_with_our_description_repeated_until_its_ack() -> None:
    line = Line()
    line.reply(200, 1.0, body=SDP)
    line.ask("INVITE", 5, 2.0, body=SDP.replace(b"4000", b"4444"))
    assert line.of(MediaChanged)[0].sdp.port == 4444
    line.run(4.0)
    assert line.statuses() == [200, 200, 200]
    line.ask("ACK", 5, 4.1)
    line.run(40.0)
    assert line.statuses() == [200, 200, 200]
    line.hang_up(50.0)
    assert line.requests("BYE")[0].uri == "sip:callee@192.0.2.6:5090"


def test_requests_in_the_dialog_are_answered_by_their_kind() -> None:
    line = Line()
    line.reply(200, 1.0, body=SDP)
    line.ask("OPTIONS", 5, 2.0)
    line.ask("INFO", 6, 2.1)
    line.ask("OPTIONS", 4, 2.2)
    line.ask("BYE", 9, 2.3, tag="stranger")
    line.ask("INVITE", 7, 2.4, body=b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4 RTP/AVP 18\r\n")
    assert line.statuses() == [200, 405, 500, 481, 488]
    assert not line.of(Ended)


def test_response_for_somebody_else_and_garbage_are_discarded() -> None:
    line = Line()
    foreign = respond(line.invite(), 200, to_tag="t").to_bytes().replace(b"10.0.0.1:5070", b"10.0.0.2:5070", 1)
    for data in (foreign, b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n"):
        line.take(line.endpoint.receive(data, CARRIER, 1.0))
    assert [event.reason for event in line.of(Discarded)] == [DiscardReason.NOT_OURS, DiscardReason.MALFORMED]
    assert len(line.sent) == 1


def test_call_id_in_use_is_refused() -> None:
    line = Line()
    with pytest.raises(LocalProtocolError):
        line.endpoint.invite(_copy_of_invitation(CALL_ID), 1.0)


def test_answer_to_a_call_of_an_earlier_life_is_acknowledged_and_hung_up_once() -> None:
    before = Line()
    after = Line()
    answer = respond(before.invite(), 200, to_tag="t9", headers=(("Contact", "<sip:c@192.0.2.5>"),), body=SDP)
    stray = answer.to_bytes().replace(b"Call-ID: a.1@gw", b"Call-ID: old.1@gw").replace(b"z9hG4bKtoken", b"z9hG4bKold")
    for now in (1.0, 1.5):
        after.take(after.endpoint.receive(stray, CARRIER, now))
    assert [message.call_id for message in after.requests("ACK")] == ["old.1@gw", "old.1@gw"]
    (bye,) = after.requests("BYE")
    assert (bye.call_id, bye.uri, bye.cseq.number) == ("old.1@gw", "sip:c@192.0.2.5", 2)
    assert after.of(GhostEnded) == [GhostEnded(call_id="old.1@gw", forked=False)]
