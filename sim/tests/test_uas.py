"""The called side of a call without sockets: timers of RFC 3261 on a clock made by hand."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from outdial_sim.callees import plan_of
from outdial_sim.carrier.control import routes
from outdial_sim.carrier.states import UasState
from outdial_sim.carrier.uas import Local, Note, Output, Send, UasCall
from outdial_sim.http_server import Request
from outdial_sim.scenario import Kind, Scenario
from outdial_sim.wire import sdp, sip

World = Callable[..., Scenario]
SOURCE = ("127.0.0.1", 4000)
ROUTE = "<sip:127.0.0.1:7000;lr>"


def invite(*, record_route: bool = False) -> sip.SipMessage:
    """An INVITE with an offer."""
    headers = [
        ("Via", "SIP/2.0/UDP 127.0.0.1:4000;branch=z9hG4bKone;rport"),
        ("From", "<sip:+12125550101@127.0.0.1>;tag=caller"),
        ("To", "<sip:+12125550123@127.0.0.1>"),
        ("Call-ID", "a.1@host"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:gw@127.0.0.1:4000>"),
    ]
    if record_route:
        headers.append(("Record-Route", ROUTE))
    return sip.SipMessage(
        method="INVITE", uri="sip:+12125550123@x", headers=tuple(headers), body=sdp.offer("127.0.0.1", 1, 1)
    )


def call(world: World, kind: Kind, *, record_route: bool = False) -> UasCall:
    """A call to a callee of this kind, who rings with a 180."""
    local = Local(host="127.0.0.1", sip_port=5090, rtp_port=6000, tag="callee", session=1, new_token=lambda: "t")
    plan = replace(plan_of(world(kind), "+12125550123"), early_media=kind is Kind.SIT)
    return UasCall(invite(record_route=record_route), SOURCE, plan, local)


def request(method: str) -> sip.SipMessage:
    """An in-dialog request of the caller."""
    headers = tuple(
        (name, f"1 {method}" if name == "CSeq" else f"{value};tag=callee" if name == "To" else value)
        for name, value in invite().headers
    )
    return sip.SipMessage(method=method, uri="sip:x@127.0.0.1", headers=headers)


def run(one: UasCall, *, until: float, now: float = 0.0) -> list[tuple[float, Output]]:
    """Every output until a time, ticking at each deadline."""
    outputs = []
    while (due := one.next_deadline()) is not None and due <= until:
        now = max(now, due)
        outputs += [(now, output) for output in one.tick(now)]
    return outputs


def sent(outputs: list[tuple[float, Output]], status: int = 0, method: str = "") -> list[float]:
    """When messages of this status or method were sent."""
    return [
        t
        for t, one in outputs
        if isinstance(one, Send) and (one.message.status, one.message.method) == (status, method)
    ]


def test_an_answer_is_repeated_with_growing_pauses_and_ends_in_a_bye_when_no_ack_comes(world: World) -> None:
    one = call(world, Kind.HUMAN)
    one.start(0.0)
    outputs = run(one, until=40.0)
    answers = sent(outputs, status=200)
    gaps = [round(later - earlier, 3) for earlier, later in pairwise(answers)]
    assert gaps[:4] == [0.5, 1.0, 2.0, 4.0]
    assert set(gaps[4:]) == {4.0}
    assert sent(outputs, method="BYE")[0] - answers[0] == 32.0
    assert Note(event="hung_up", reason="no_ack") in [output for _, output in outputs]


def test_a_bye_that_nobody_answers_is_given_up_and_the_call_is_over_once(world: World) -> None:
    one = call(world, Kind.HUMAN)
    one.start(0.0)
    run(one, until=1.0)
    one.receive(request("ACK"), SOURCE, 1.0)
    one.hang_up("patience", 2.0)
    outputs = run(one, until=200.0)
    assert 8 < len(sent(outputs, method="BYE")) < 13
    assert [output for _, output in outputs if isinstance(output, Note)] == [Note(event="call_over", reason="hung_up")]
    assert one.state is UasState.OVER
    assert one.forgettable


def test_a_callee_who_hangs_up_before_the_ack_waits_for_it(world: World) -> None:
    one = call(world, Kind.HUMAN)
    one.start(0.0)
    run(one, until=0.3)
    assert one.hang_up("hung_up_after_greeting", 0.3) == []
    outputs = one.receive(request("ACK"), SOURCE, 0.5)
    assert [output.message.method for output in outputs if isinstance(output, Send)] == ["BYE"]


def test_a_bye_takes_the_route_that_the_invite_recorded(world: World) -> None:
    one = call(world, Kind.HUMAN, record_route=True)
    one.start(0.0)
    run(one, until=0.3)
    one.receive(request("ACK"), SOURCE, 0.4)
    (bye,) = [output for output in one.hang_up("patience", 1.0) if isinstance(output, Send)]
    assert bye.to == ("127.0.0.1", 7000)
    assert bye.message.all("Route") == [ROUTE]
    assert (bye.message.from_tag, bye.message.to_tag) == ("callee", "caller")


def test_byes_that_cross_end_the_call_once(world: World) -> None:
    one = call(world, Kind.HUMAN)
    one.start(0.0)
    run(one, until=0.3)
    one.receive(request("ACK"), SOURCE, 0.4)
    one.hang_up("patience", 1.0)
    outputs = one.receive(request("BYE"), SOURCE, 1.1) + one.receive(request("BYE"), SOURCE, 1.6)
    assert sum(output == Note(event="call_over", reason="bye") for output in outputs) == 1
    assert [output.message.status for output in outputs if isinstance(output, Send)] == [200, 200]


def test_a_reinvite_moves_the_media_and_keeps_the_call(world: World) -> None:
    one = call(world, Kind.HUMAN)
    one.start(0.0)
    run(one, until=0.3)
    one.receive(request("ACK"), SOURCE, 0.4)
    moved = replace(request("INVITE"), body=sdp.offer("127.0.0.1", 9000, 1))
    outputs = one.receive(moved, SOURCE, 1.0)
    assert [output.stream.port for output in outputs if not isinstance(output, Send | Note)] == [9000]
    assert one.state is UasState.CONFIRMED


def test_the_intercept_is_rejected_when_its_announcement_ends_and_not_before(world: World) -> None:
    one = call(world, Kind.SIT)
    one.start(0.0)
    assert sent(run(one, until=50.0), status=404) == []
    outputs = one.early_media_over(51.0)
    assert sent([(51.0, output) for output in outputs], status=404) == [51.0]


async def test_the_control_port_tells_counts_only(start: Callable[..., object], world: World) -> None:
    net = await start(world(Kind.HUMAN))  # type: ignore[misc]
    stats = routes(net.carrier, Request(method="GET", path="/stats", headers={}, body=b""))
    assert stats.body == b'{"live_calls": 0}'
    assert routes(net.carrier, Request(method="GET", path="/nothing", headers={}, body=b"")).status == 404
    assert routes(net.carrier, Request(method="POST", path="/stats", headers={}, body=b"")).status == 405
