"""Whatever a peer sends, in whatever order, the tables have a cell for it, and in the end nothing is left."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.digest import Authenticator, Credentials, authorization, choose_challenge
from media_gateway.sip.endpoint import Endpoint, Output
from media_gateway.sip.events import Ended, Event, IncomingCall
from media_gateway.sip.invitation import Invitation
from media_gateway.sip.message import Request, Response, parse_message
from media_gateway.sip.sdp import offer

PEER = ("10.0.0.2", 5060)
CALL_ID = "leg.1@gw"
SDP = offer(address="10.0.0.2", port=40000, session_id=1)
PHONE = Credentials(username="agent7", password="pass7")
WAITS = st.sampled_from([0.0, 0.4, 5.0, 33.0])


class Victim:
    """An endpoint whose peer is drawn by the test."""

    def __init__(self) -> None:
        tokens = (f"token{number}" for number in itertools.count())
        identity = LocalIdentity(host="10.0.0.1", port=5060, user_agent="t", new_token=lambda: next(tokens))
        guard = Authenticator(realm="phones", key=b"k", password_of={"agent7": "pass7"}.get, lifetime_seconds=9999)
        self.endpoint = Endpoint(identity=identity, authenticator=guard)
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.events: list[Event] = []
        self.now = 0.0

    def take(self, output: Output) -> None:
        self.events += output.events
        for datagram in output.datagrams:
            message = parse_message(datagram.data)
            if isinstance(message, Request):
                self.requests.append(message)
            else:
                self.responses.append(message)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.endpoint.next_timeout()) is not None and due <= until:
            self.take(self.endpoint.handle_timers(due))
        self.now = until

    def receive(self, text: str, body: bytes = b"") -> None:
        self.take(self.endpoint.receive(text.encode() + body, PEER, self.now))

    def hang_up(self) -> None:
        self.take(self.endpoint.hang_up(CALL_ID, self.now))

    def settles(self) -> bool:
        """After a wish to end and enough time nothing is left, and every call was ended once."""
        self.hang_up()
        self.wait(200.0)
        endings = [event for event in self.events if isinstance(event, Ended)]
        return self.endpoint.idle and self.endpoint.next_timeout() is None and len(endings) <= 1


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_no_sequence_of_responses_breaks_the_endpoint(data: st.DataObject) -> None:
    victim = Victim()
    invitation = Invitation(
        call_id=CALL_ID, destination=PEER, target="sip:g@10.0.0.2", caller="sip:a@h", sdp=SDP, credentials=PHONE
    )
    victim.take(victim.endpoint.invite(invitation, 0.0))
    for _ in range(data.draw(st.integers(1, 12))):
        victim.wait(data.draw(WAITS))
        if data.draw(st.integers(0, 4)) == 0:
            victim.hang_up()
        about = data.draw(st.sampled_from(victim.requests))
        status = data.draw(st.sampled_from([100, 180, 183, 200, 302, 401, 407, 486, 487, 503]))
        kept = "".join(f"{name}: {value}\r\n" for name, value in about.headers if name in {"Via", "From", "Call-ID"})
        contact = data.draw(st.sampled_from(["<sip:g@10.0.0.2>", "<mailto:x>", "*"]))
        victim.receive(
            f"SIP/2.0 {status} X\r\n{kept}To: <sip:g@10.0.0.2>;tag={data.draw(st.sampled_from('ab'))}\r\n"
            f"CSeq: {about.cseq.number} {about.cseq.method}\r\nContact: {contact}\r\n"
            f'WWW-Authenticate: Digest realm="r", nonce="n", stale={data.draw(st.booleans())}\r\n\r\n',
            SDP.to_bytes() if data.draw(st.booleans()) else b"",
        )
    assert victim.settles()


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_no_sequence_of_requests_breaks_the_endpoint(data: st.DataObject) -> None:
    victim = Victim()
    challenge = Authenticator(realm="phones", key=b"k", password_of=lambda name: None).challenge(0.0)
    accepted = False
    for count in range(1, data.draw(st.integers(2, 14))):
        victim.wait(data.draw(WAITS))
        if any(isinstance(event, IncomingCall) for event in victim.events) and not accepted and _lives(victim):
            accepted = data.draw(st.booleans())
            if accepted:
                victim.take(victim.endpoint.accept(CALL_ID, SDP, victim.now))
        if data.draw(st.integers(0, 5)) == 0:
            victim.hang_up()
        first = count == 1  # a call that is taken, so that the rest meets one
        method = (
            "INVITE" if first else data.draw(st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO"]))
        )
        tags = [response.to_tag for response in victim.responses if response.to_tag]
        tag = "" if first else data.draw(st.sampled_from(["", "bogus", *tags[-2:], *tags[-2:]]))
        credentials = authorization(
            choose_challenge((challenge,)), PHONE, method="INVITE", uri="sip:g@h", nonce_count=count, cnonce="c"
        )
        contact = "<mailto:x>" if not first and data.draw(st.integers(0, 3)) == 0 else "<sip:p@10.0.0.2>"
        victim.receive(
            f"{method} sip:g@10.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK{data.draw(st.integers(1, 4))};rport\r\n"
            f"From: <sip:p@10.0.0.2>;tag=p\r\nTo: <sip:g@10.0.0.1>{';tag=' + tag if tag else ''}\r\n"
            f"Call-ID: {CALL_ID}\r\nCSeq: {data.draw(st.integers(1, 5))} {method}\r\nContact: {contact}\r\n"
            f"Authorization: {credentials}\r\n\r\n",
            b"" if first else data.draw(st.sampled_from([b"", SDP.to_bytes(), b"junk"])),
        )
    for _ in range(2):
        victim.hang_up()
        victim.wait(200.0)
    assert victim.endpoint.idle
    assert victim.endpoint.next_timeout() is None
    started = sum(isinstance(event, IncomingCall) for event in victim.events)
    assert sum(isinstance(event, Ended) for event in victim.events) == started


def _lives(victim: Victim) -> bool:
    return CALL_ID in victim.endpoint.live_call_ids
