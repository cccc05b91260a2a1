"""Ports: even, and quiet for a while before the next call gets them."""

from __future__ import annotations

import pytest

from media_gateway.rtp.port_pool import NoMediaPort, PortPool


def test_only_even_ports_are_handed_out() -> None:
    pool = PortPool(first=30_001, last=30_007)
    assert [pool.take(0.0) for _ in range(3)] == [30_002, 30_004, 30_006]


def test_an_exhausted_range_says_so() -> None:
    pool = PortPool(first=30_000, last=30_001)
    pool.take(0.0)
    with pytest.raises(NoMediaPort, match="1 of 1 ports in use, 0 draining"):
        pool.take(0.0)


def test_a_used_port_drains_before_the_next_call_gets_it() -> None:
    pool = PortPool(first=30_000, last=30_000, drain_seconds=5.0)
    pool.give_back(pool.take(0.0), 100.0)
    with pytest.raises(NoMediaPort, match="1 draining"):
        pool.take(104.9)
    assert pool.take(105.0) == 30_000


def test_the_longest_unused_port_comes_first() -> None:
    pool = PortPool(first=30_000, last=30_004, drain_seconds=0.0)
    pool.give_back(pool.take(0.0), 1.0)
    assert pool.take(2.0) == 30_002


def test_a_range_without_an_even_port_is_refused() -> None:
    with pytest.raises(ValueError, match="no even port"):
        PortPool(first=30_001, last=30_001)
