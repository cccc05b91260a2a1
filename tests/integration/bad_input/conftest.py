"""One campaign for everything that is bad."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bad_input.stand_in import StandIn

from outdial_cli.stack.stack import Stack


@pytest.fixture(scope="session")
def hand(stack: Stack) -> Iterator[StandIn]:
    """CRM and pacer of the campaign `bad-input`."""
    hand = StandIn(stack, "bad-input", "646")
    hand.open()
    yield hand
    hand.close()
