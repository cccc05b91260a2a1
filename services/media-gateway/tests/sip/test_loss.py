"""Two endpoints over a network that loses datagrams in cycles: a trunk's side against an agent-phone's side."""

import itertools
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.digest import Authenticator, Credentials
from media_gateway.sip.endpoint import Datagram, Endpoint, Output
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import (
    Answered,
    Connected,
    Discarded,
    DiscardReason,
    Ended,
    EndedBy,
    EndReason,
    Event,
    IncomingCall,
)
from media_gateway.sip.invitation import Invitation
from media_gateway.sip.message import Request, parse_message
from media_gateway.sip.sdp import offer

CALLER, PHONES = ("10.0.0.1", 5060), ("10.0.0.2", 5060)
CALL_ID = "leg.1@gw"
SDP = offer(address="10.0.0.2", port=40000, session_id=1)
EventT = TypeVar("EventT", bound=Event)


class Network:
    """Both ends, what each was told, and the losses: an end's i-th datagram is lost where the cycle has an x."""

    def __init__(self, pattern: str = "", password: str = "pass7") -> None:
        tokens = (f"token{number}" for number in itertools.count())
        self.now = 0.0
        self.told: dict[tuple[str, int], list[Event]] = {CALLER: [], PHONES: []}
        self.seen: list[str] = []
        self._fates = {end: itertools.cycle(pattern or ".") for end in (CALLER, PHONES)}
        self._under_way: list[tuple[tuple[str, int], Datagram]] = []
        self._password = password
        guard = Authenticator(realm="phones", key=b"k", password_of={"agent7": "pass7"}.get)
        self.ends = {
            address: Endpoint(
                identity=LocalIdentity(
                    host=address[0], port=address[1], user_agent="t", new_token=lambda: next(tokens)
                ),
                authenticator=guard if address == PHONES else None,
            )
            for address in (CALLER, PHONES)
        }

    def invite(self) -> None:
        invitation = Invitation(
            call_id=CALL_ID,
            destination=PHONES,
            target="sip:gateway@10.0.0.2",
            caller="sip:agent7@10.0.0.1",
            sdp=offer(address="10.0.0.1", port=40000, session_id=1),
            credentials=Credentials(username="agent7", password=self._password),
        )
        self.take(CALLER, self.ends[CALLER].invite(invitation, self.now))

    def take(self, end: tuple[str, int], output: Output) -> None:
        self.told[end] += output.events
        self._under_way += [(end, datagram) for datagram in output.datagrams]
        while self._under_way:
            source, datagram = self._under_way.pop(0)
            self.seen.append(datagram.data.split(b" ")[0].decode())
            if next(self._fates[source]) == ".":
                target = datagram.destination
                self.take(target, self.ends[target].receive(datagram.data, source, self.now))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            due = [
                (at, end) for end, one in self.ends.items() if (at := one.next_timeout()) is not None and at <= until
            ]
            if not due:
                break
            self.now, end = min(due)
            self.take(end, self.ends[end].handle_timers(self.now))
        self.now = until

    def run_until(self, end: tuple[str, int], kind: type[EventT], seconds: float = 32.0) -> EventT:
        until = self.now + seconds
        while not (found := [event for event in self.told[end] if isinstance(event, kind)]) and self.now < until:
            self.run(0.1)
        return found[0]

    def accept(self) -> None:
        self.take(PHONES, self.ends[PHONES].accept(CALL_ID, SDP, self.now))

    def hang_up(self, end: tuple[str, int]) -> None:
        self.take(end, self.ends[end].hang_up(CALL_ID, self.now))

    def of(self, end: tuple[str, int], kind: type[EventT]) -> list[EventT]:
        return [event for event in self.told[end] if isinstance(event, kind)]


# At most half is lost: above that, timer B may end a call for good reason.
PATTERNS = ["", "x.", ".x", "x..", ".x.", "..x", "xx..", "x.x..", "..xx", ".xx.x.."]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("ender", [CALLER, PHONES])
def test_call_is_set_up_and_ended_once_whatever_is_lost(pattern: str, ender: tuple[str, int]) -> None:
    network = Network(pattern)
    network.invite()
    network.run_until(PHONES, IncomingCall)
    network.accept()
    network.run_until(CALLER, Answered)
    network.run_until(PHONES, Connected)
    network.run(5.0)
    network.hang_up(ender)
    network.run(100.0)
    for end in (CALLER, PHONES):
        (ended,) = network.of(end, Ended)
        assert ended.reason is EndReason.HUNG_UP
        assert ended.by is (EndedBy.LOCAL if end == ender else EndedBy.REMOTE)
        assert network.ends[end].idle
        assert network.ends[end].next_timeout() is None
    assert len(network.of(PHONES, IncomingCall)) == 1
    assert len(network.of(CALLER, Answered)) == 1
    assert len(network.of(PHONES, Connected)) == 1


@pytest.mark.parametrize("pattern", PATTERNS)
def test_cancelled_call_stops_ringing_whatever_is_lost(pattern: str) -> None:
    network = Network(pattern)
    network.invite()
    network.run_until(PHONES, IncomingCall)
    network.hang_up(CALLER)
    network.run(100.0)
    assert network.of(CALLER, Ended)[0].reason is EndReason.CANCELLED
    assert network.of(PHONES, Ended)[0].reason is EndReason.WITHDRAWN
    assert all(one.idle for one in network.ends.values())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_answer_and_cancel_that_cross_leave_no_ghost_whatever_is_lost(pattern: str) -> None:
    network = Network(pattern)
    network.invite()
    network.run_until(PHONES, IncomingCall)
    network.accept()
    network.hang_up(CALLER)
    network.run(100.0)
    assert [len(network.of(end, Ended)) for end in network.ends] == [1, 1]
    assert all(one.idle for one in network.ends.values())


def test_dead_network_ends_the_call_by_timer_b() -> None:
    network = Network("x")
    network.invite()
    network.run(40.0)
    assert network.of(CALLER, Ended)[0].reason is EndReason.TIMER_B
    assert network.seen == ["INVITE"] * 7


def test_wrong_password_never_reaches_the_user_and_is_counted() -> None:
    network = Network(password="wrong")
    network.invite()
    network.run(1.0)
    assert network.of(CALLER, Ended)[0].status == 401
    assert not network.of(PHONES, IncomingCall)
    assert network.of(PHONES, Discarded) == [Discarded(reason=DiscardReason.UNAUTHENTICATED, source=CALLER)]


def test_endpoint_without_authenticator_takes_no_calls() -> None:
    network = Network()
    network.ends[PHONES] = Endpoint(
        identity=LocalIdentity(host=PHONES[0], port=5060, user_agent="t", new_token=lambda: "only")
    )
    network.invite()
    assert network.of(CALLER, Ended)[0].status == 403


def test_declined_phone_hears_the_status() -> None:
    network = Network()
    network.invite()
    network.take(PHONES, network.ends[PHONES].decline(CALL_ID, 486, network.now))
    assert network.of(CALLER, Ended)[0].status == 486
    assert network.of(PHONES, Ended)[0].reason is EndReason.DECLINED


def test_second_accept_is_our_error() -> None:
    network = Network()
    network.invite()
    network.accept()
    with pytest.raises(LocalProtocolError, match=r"accept in established"):
        network.accept()


def silent_phone() -> Network:
    """A phone that calls, is answered, and whose ACK never comes."""
    network = Network()
    network.invite()
    network.ends[CALLER] = Endpoint(
        identity=LocalIdentity(host="10.9.9.9", port=1, user_agent="t", new_token=lambda: "other")
    )
    network.accept()
    return network


def test_answer_nobody_acknowledges_is_repeated_then_hung_up() -> None:
    network = silent_phone()
    network.seen.clear()
    network.run(31.9)
    assert network.seen == ["SIP/2.0"] * 10
    network.run(0.2)
    assert "BYE" in network.seen
    ended = network.of(PHONES, Ended)[0]
    assert (ended.by, ended.reason) == (EndedBy.NOBODY, EndReason.ACK_TIMEOUT)


def test_hanging_up_before_the_ack_waits_for_it() -> None:
    network = silent_phone()
    network.seen.clear()
    network.hang_up(PHONES)
    assert network.seen == []
    network.run(40.0)
    assert "BYE" in network.seen


def test_options_outside_a_dialog_tells_that_we_live_and_unknown_dialogs_are_gone() -> None:
    network = Network()
    for method, tag, status in (
        ("OPTIONS", "", 200),
        ("BYE", ";tag=x", 481),
        ("REGISTER", "", 405),
        ("CANCEL", "", 481),
    ):
        asked = Request(
            method=method,
            uri="sip:10.0.0.2",
            headers=(
                ("Via", f"SIP/2.0/UDP 192.168.1.9:5099;branch=z9hG4bK{method};rport"),
                ("From", "<sip:a@h>;tag=f"),
                ("To", f"<sip:b@h>{tag}"),
                ("Call-ID", "other"),
                ("CSeq", f"1 {method}"),
            ),
        )
        output = network.ends[PHONES].receive(asked.to_bytes(), ("203.0.113.9", 1024), 0.0)
        answer = parse_message(output.datagrams[0].data)
        assert answer.start_line().startswith(f"SIP/2.0 {status} ")
        assert output.datagrams[0].destination == ("203.0.113.9", 1024)
        assert (answer.via.param("received"), answer.via.param("rport")) == ("203.0.113.9", "1024")


MOVES = st.sampled_from(["accept", "decline", "hang_up_caller", "hang_up_phone", "wait", "long_wait"])


@settings(max_examples=150, deadline=None)
@given(st.lists(MOVES, max_size=8), st.text(alphabet="x.", max_size=7).filter(lambda text: set(text) != {"x"}))
def test_any_order_of_wishes_and_losses_ends_each_side_at_most_once(moves: list[str], pattern: str) -> None:
    network = Network(pattern)
    network.invite()
    accepted = False
    for move in moves:
        offered, over = network.of(PHONES, IncomingCall), network.of(PHONES, Ended)
        if move == "accept" and offered and not over and not accepted:
            network.accept()
            accepted = True
        elif move == "decline":
            network.take(PHONES, network.ends[PHONES].decline(CALL_ID, 480, network.now))
        elif move.startswith("hang_up"):
            network.hang_up(CALLER if move == "hang_up_caller" else PHONES)
        else:
            network.run(40.0 if move == "long_wait" else 0.7)
    for _ in range(2):  # the phone may be offered the call only after the first
        network.hang_up(CALLER)
        network.hang_up(PHONES)
        network.run(200.0)
    assert len(network.of(CALLER, Ended)) == 1
    assert len(network.of(PHONES, Ended)) == len(network.of(PHONES, IncomingCall))
    assert all(one.idle and one.next_timeout() is None for one in network.ends.values())
