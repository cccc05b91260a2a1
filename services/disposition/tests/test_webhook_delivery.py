"""What follows from a try, when the next one is, and where nothing is ever sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from disposition.domain.addresses import Policy, host_and_port, refusal
from disposition.domain.delivery import (
    JITTER,
    STANDARD_SECONDS,
    TRANSITIONS,
    Answer,
    DeliveryEvent,
    DeliveryState,
    Trouble,
    WrongMove,
    judge,
    moved,
)

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
OURS = (
    *("10.0.0.1", "192.168.1.1", "172.16.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:0a00:0001::1", "ff0e::1", "::"),
)
AWAY = Answer(trouble=Trouble.NOT_REACHED)


def waits(answer: Answer, tries: int, chance: float = 0.0) -> float | None:
    """Seconds until the next try; None when there is none."""
    due_at = judge(tries, answer, NOW, chance).due_at
    return (due_at - NOW).total_seconds() if due_at else None


def test_a_receiver_that_is_away_for_three_days_loses_nothing() -> None:
    gaps = [waits(AWAY, tries) for tries in range(1, 11)]
    assert gaps == [5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0, None]
    assert sum(STANDARD_SECONDS) > timedelta(days=3).total_seconds()
    assert judge(10, AWAY, NOW, 0.0).event is DeliveryEvent.GIVEN_UP


def test_what_failed_together_does_not_come_back_together() -> None:
    assert waits(AWAY, 2, 0.0) == 300.0
    assert waits(AWAY, 2, 0.5) == pytest.approx(300.0 * (1 + JITTER / 2))


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422, 451])
def test_a_body_that_is_refused_is_not_sent_again(status: int) -> None:
    assert judge(1, Answer.of_status(status), NOW, 0.0).event is DeliveryEvent.GIVEN_UP


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504])
def test_what_may_heal_is_tried_again(status: int) -> None:
    assert judge(1, Answer.of_status(status), NOW, 0.0).event is DeliveryEvent.FAILED


@pytest.mark.parametrize("trouble", [Trouble.URL_REFUSED, Trouble.ADDRESS_REFUSED, Trouble.GONE])
def test_what_can_not_be_reached_by_waiting_is_dead_at_once(trouble: Trouble) -> None:
    assert judge(1, Answer(trouble=trouble), NOW, 0.0).event is DeliveryEvent.GIVEN_UP


def test_410_is_gone() -> None:
    assert Answer.of_status(410).trouble is Trouble.GONE


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_pauses_the_endpoint_and_never_shortens_the_schedule(status: int) -> None:
    asked = judge(1, Answer.of_status(status, 60.0), NOW, 0.0)
    assert (asked.due_at, asked.pause_until) == (NOW + timedelta(seconds=60), NOW + timedelta(seconds=60))
    soon = judge(2, Answer.of_status(status, 1.0), NOW, 0.0)
    assert soon.due_at == NOW + timedelta(seconds=300), "else ten tries would be spent within seconds"


def test_retry_after_of_another_status_and_of_a_century_is_not_obeyed() -> None:
    assert judge(1, Answer.of_status(500, 60.0), NOW, 0.0).pause_until is None
    assert judge(1, Answer.of_status(429, 3e9), NOW, 0.0).pause_until == NOW + timedelta(days=1)


def test_an_impossible_move_names_state_and_event() -> None:
    for state in DeliveryState:
        for event in DeliveryEvent:
            if (state, event) in TRANSITIONS:
                assert moved(state, event) is TRANSITIONS[state, event]
            else:
                with pytest.raises(WrongMove, match=f"{state}.*{event}"):
                    moved(state, event)


@pytest.mark.parametrize("address", OURS)
def test_our_own_network_is_out_of_reach(address: str) -> None:
    assert refusal("https://crm.example.test/", [ip_address(address)], Policy()) is Trouble.ADDRESS_REFUSED


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    mixed = [ip_address("93.184.216.34"), ip_address("10.0.0.1")]
    assert refusal("https://crm.example.test/", mixed, Policy()) is Trouble.ADDRESS_REFUSED


def test_public_addresses_need_https() -> None:
    public = [ip_address("93.184.216.34"), ip_address("2606:4700::1111")]
    assert refusal("https://crm.example.test/", public, Policy()) is None
    assert refusal("http://crm.example.test/", public, Policy()) is Trouble.URL_REFUSED
    assert refusal("http://crm.example.test/", public, Policy(plain_http=True)) is None


def test_loopback_may_be_allowed_and_then_without_tls() -> None:
    policy = Policy(networks=(ip_network("127.0.0.0/8"), ip_network("10.1.0.0/16")))
    assert refusal("http://127.0.0.1:1/", [ip_address("127.0.0.1")], policy) is None
    assert refusal("http://127.0.0.1:1/", [ip_address("::ffff:127.0.0.1")], policy) is None
    assert refusal("https://in.example.test/", [ip_address("10.1.2.3")], policy) is None
    assert refusal("http://in.example.test/", [ip_address("10.1.2.3")], policy) is Trouble.URL_REFUSED
    assert refusal("https://in.example.test/", [ip_address("10.2.0.1")], policy) is Trouble.ADDRESS_REFUSED


@pytest.mark.parametrize("url", ["ftp://a.example.test/", "file:///etc/passwd", "https://", "crm", "", "http://a:x/"])
def test_what_is_no_web_address_has_no_host(url: str) -> None:
    assert host_and_port(url) is None


def test_ports_follow_the_scheme_unless_named() -> None:
    assert host_and_port("https://a.example.test/x") == ("a.example.test", 443)
    assert host_and_port("http://[::1]/x") == ("::1", 80)
    assert host_and_port("https://a.example.test:8443/x") == ("a.example.test", 8443)
