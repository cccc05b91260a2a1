"""The four transaction machines: every timer in virtual time, every cell reachable, no repeat passed up twice."""

import pytest

from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.message import Request, Response, parse_message, respond
from media_gateway.sip.timers import TimerQueue, Timing
from media_gateway.sip.transaction_client import (
    INVITE_TABLE,
    REQUEST_TABLE,
    InviteClient,
    InviteEvent,
    InviteState,
    RequestClient,
    RequestEvent,
    RequestState,
    cancel_of,
)
from media_gateway.sip.transaction_core import Failure
from media_gateway.sip.transaction_server import (
    INVITE_SERVER_TABLE,
    REQUEST_SERVER_TABLE,
    InviteServer,
    InviteServerEvent,
    InviteServerState,
    RequestServer,
    RequestServerState,
)

TIMING = Timing()


def request(method: str) -> Request:
    return Request(
        method=method,
        uri="sip:callee@192.0.2.1",
        headers=(
            ("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKq;rport"),
            ("Route", "<sip:192.0.2.9;lr>"),
            ("Max-Forwards", "70"),
            ("From", "<sip:us@10.0.0.1>;tag=f"),
            ("To", "<sip:callee@192.0.2.1>"),
            ("Call-ID", "a.1@x"),
            ("CSeq", f"7 {method}"),
        ),
    )


INVITE, BYE = request("INVITE"), request("BYE")


def response(status: int, to: Request = INVITE) -> Response:
    return respond(to, status, to_tag="t" if status > 100 else "")


Machine = InviteClient | RequestClient | InviteServer | RequestServer


def sendings(machine: Machine, until: float) -> list[float]:
    """Run the timers; the times at which something was sent."""
    times: list[float] = []
    while (due := machine.next_timeout()) is not None and due <= until:
        times += [due] * len(machine.handle_timers(due).send)
    return times


def test_invite_is_repeated_with_doubling_gaps_until_timer_b() -> None:
    client = InviteClient(INVITE, timing=TIMING)
    assert client.start(0.0).send == (INVITE.to_bytes(),)
    assert sendings(client, 31.9) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert client.handle_timers(32.0).failure is Failure.TIMER_B
    assert client.terminated


def test_provisional_response_stops_repeats_for_as_long_as_it_rings() -> None:
    client = InviteClient(INVITE, timing=TIMING)
    client.start(0.0)
    assert client.receive(response(180), 0.2).deliver is not None
    assert client.next_timeout() is None


def test_failure_is_acknowledged_each_time_and_passed_up_once() -> None:
    client = InviteClient(INVITE, timing=TIMING)
    client.start(0.0)
    first = client.receive(response(486), 1.0)
    second = client.receive(response(486), 2.0)
    assert first.deliver is not None
    assert second.deliver is None
    assert first.send == second.send
    ack = parse_message(first.send[0])
    assert isinstance(ack, Request)
    assert (ack.method, ack.via.branch, ack.cseq, ack.to_tag) == ("ACK", "z9hG4bKq", (7, "ACK"), "t")
    assert ack.every("Route") == INVITE.every("Route")
    assert client.next_timeout() == 33.0
    client.handle_timers(33.0)
    assert client.terminated


def test_every_repeat_of_an_answer_is_passed_up_until_timer_m() -> None:
    client = InviteClient(INVITE, timing=TIMING)
    client.start(0.0)
    assert all(client.receive(response(200), at).deliver is not None for at in (1.0, 1.5, 20.0))
    assert client.next_timeout() == 33.0
    client.handle_timers(33.0)
    assert client.terminated
    assert client.receive(response(200), 34.0).deliver is None


def test_refused_first_datagram_is_told_and_nothing_is_repeated() -> None:
    client = InviteClient(INVITE, timing=TIMING)
    client.start(0.0)
    assert client.unsent(0.0).failure is Failure.NOT_SENT
    assert client.next_timeout() is None


def test_bye_is_repeated_up_to_every_four_seconds_until_timer_f() -> None:
    client = RequestClient(BYE, timing=TIMING)
    client.start(0.0)
    assert sendings(client, 31.9) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert client.handle_timers(32.0).failure is Failure.TIMER_F


def test_provisional_to_bye_slows_it_down_and_keeps_timer_f() -> None:
    client = RequestClient(BYE, timing=TIMING)
    client.start(0.0)
    client.receive(response(100, BYE), 1.0)
    assert sendings(client, 31.9) == [5.0, 9.0, 13.0, 17.0, 21.0, 25.0, 29.0]
    assert client.handle_timers(32.0).failure is Failure.TIMER_F


def test_repeated_answer_to_bye_is_absorbed_until_timer_k() -> None:
    client = RequestClient(BYE, timing=TIMING)
    client.start(0.0)
    assert client.receive(response(200, BYE), 1.0).deliver is not None
    assert client.receive(response(200, BYE), 2.0).deliver is None
    client.handle_timers(6.0)
    assert client.terminated


def test_refusal_is_repeated_until_its_ack() -> None:
    server = InviteServer(INVITE, timing=TIMING)
    refusal = response(401)
    assert server.respond(refusal, 0.0).send == (refusal.to_bytes(),)
    assert sendings(server, 8.0) == [0.5, 1.5, 3.5, 7.5]
    assert server.retransmitted(8.1).send == (refusal.to_bytes(),)
    server.acked(8.2)
    assert server.retransmitted(8.3).send == ()
    assert sendings(server, 13.2) == []
    assert server.terminated


def test_refusal_never_acknowledged_ends_at_timer_h() -> None:
    server = InviteServer(INVITE, timing=TIMING)
    server.respond(response(486), 0.0)
    assert sendings(server, 31.9)[-1] == 31.5
    assert server.handle_timers(32.0).failure is Failure.TIMER_H


def test_repeated_invite_gets_the_newest_provisional_again() -> None:
    server = InviteServer(INVITE, timing=TIMING)
    assert server.retransmitted(0.0).send == ()
    server.respond(response(100), 0.1)
    server.respond(response(180), 0.2)
    assert server.retransmitted(0.5).send == (response(180).to_bytes(),)


def test_answer_absorbs_repeated_invites_until_timer_l() -> None:
    server = InviteServer(INVITE, timing=TIMING)
    server.respond(response(200), 0.0)
    assert server.retransmitted(0.5).send == ()
    assert server.respond(response(200), 0.5).send == (response(200).to_bytes(),)
    assert server.next_timeout() == 32.0
    server.handle_timers(32.0)
    assert server.terminated


def test_repeated_bye_gets_the_same_answer_until_timer_j() -> None:
    server = RequestServer(BYE, timing=TIMING)
    assert server.retransmitted(0.0).send == ()
    server.respond(response(200, BYE), 0.1)
    assert server.retransmitted(5.0).send == (response(200, BYE).to_bytes(),)
    server.handle_timers(32.1)
    assert server.terminated


def test_second_final_response_is_our_error_and_names_state_and_event() -> None:
    server = InviteServer(INVITE, timing=TIMING)
    server.respond(response(486), 0.0)
    with pytest.raises(LocalProtocolError, match=r"send_2xx in completed"):
        server.respond(response(200), 0.1)


def test_timing_is_configurable() -> None:
    client = InviteClient(INVITE, timing=Timing(t1_seconds=0.01))
    client.start(0.0)
    assert client.handle_timers(0.64).failure is Failure.TIMER_B


def test_cancel_has_the_invites_branch_number_and_route() -> None:
    cancel = cancel_of(INVITE)
    assert (cancel.via.branch, cancel.cseq, cancel.to_tag) == ("z9hG4bKq", (7, "CANCEL"), "")
    assert cancel.every("Route") == INVITE.every("Route")


@pytest.mark.parametrize("state", InviteState)
@pytest.mark.parametrize("event", [InviteEvent.PROVISIONAL, InviteEvent.SUCCESS, InviteEvent.FAILURE])
def test_no_peer_can_send_an_invite_client_what_it_has_no_cell_for(state: InviteState, event: InviteEvent) -> None:
    assert (state, event) in INVITE_TABLE


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("event", [RequestEvent.PROVISIONAL, RequestEvent.FINAL])
def test_no_peer_can_send_a_client_what_it_has_no_cell_for(state: RequestState, event: RequestEvent) -> None:
    assert (state, event) in REQUEST_TABLE


def test_no_peer_can_send_a_server_what_it_has_no_cell_for() -> None:
    invite_states = set(InviteServerState) - {InviteServerState.TERMINATED}
    events = (InviteServerEvent.REQUEST, InviteServerEvent.ACK)
    assert all((state, event) in INVITE_SERVER_TABLE for state in invite_states for event in events)
    other_states = set(RequestServerState) - {RequestServerState.TERMINATED}
    assert {state for state, event in REQUEST_SERVER_TABLE if event == "request"} == other_states


def test_timer_queue_forgets_moved_and_cancelled_deadlines() -> None:
    queue: TimerQueue[str] = TimerQueue()
    queue.schedule("a", 5.0)
    queue.schedule("b", 3.0)
    queue.schedule("b", 7.0)
    queue.schedule("c", 1.0)
    queue.schedule("c", None)
    assert queue.next_deadline() == 5.0
    assert [queue.pop_due(9.0), queue.pop_due(9.0), queue.pop_due(9.0)] == ["a", "b", None]
