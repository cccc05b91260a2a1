"""Whatever the driver raises, the gate answers that it does not know: no call, and nothing lost."""

from __future__ import annotations

import asyncpg
import pytest

from compliance_gate.adapters.postgres import fail_closed
from compliance_gate.ports import StoreUnavailable, Unstorable


@pytest.mark.parametrize(
    "raised",
    [
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.InterfaceError("closed"),
        asyncpg.InternalClientError("cannot switch to state 12"),
        asyncpg.ProtocolError("unexpected"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_database_that_breaks_off_in_any_way_is_unavailable(raised: Exception) -> None:
    with pytest.raises(StoreUnavailable, match=type(raised).__name__), fail_closed():
        raise raised


def test_value_that_no_row_can_hold_is_told_apart() -> None:
    with pytest.raises(Unstorable), fail_closed():
        raise asyncpg.CharacterNotInRepertoireError("NUL")


def test_fault_of_our_own_is_not_hidden_as_an_outage() -> None:
    with pytest.raises(ZeroDivisionError), fail_closed():
        raise ZeroDivisionError
