"""Numbers in any written form, and shapes that give nothing away."""

from __future__ import annotations

import pytest

from lead_router.domain.numbers import BadNumber, is_region, shape, to_e164


@pytest.mark.parametrize(
    "written, region, e164",
    [
        ("+12125550123", "US", "+12125550123"),
        (" (212) 555-0123 ", "US", "+12125550123"),
        ("1.212.555.0123", "US", "+12125550123"),
        ("+12125550123", "GB", "+12125550123"),
        ("020 7946 0123", "GB", "+442079460123"),
        ("+49 30 901820", "US", "+4930901820"),
    ],
)
def test_written_forms_become_e164(written: str, region: str, e164: str) -> None:
    assert to_e164(written, region) == e164


@pytest.mark.parametrize(
    "written", ["1-800-FLOWERS", "+12125550123 x5", "2125550123;ext=5", "12345", "+999123456789", "", "+1 112 555 0123"]
)
def test_letters_extensions_and_impossible_numbers_are_refused_without_the_value(written: str) -> None:
    with pytest.raises(BadNumber) as caught:
        to_e164(written, "US")
    assert not written or written not in str(caught.value)


def test_shape_names_counts_only() -> None:
    assert shape("+12125550123") == "12 characters, 11 digits, leading +"
    assert shape("ab 1") == "4 characters, 1 digits, 2 letters, 1 spaces"


def test_regions_are_those_that_have_a_country_code() -> None:
    assert is_region("US")
    assert not any(map(is_region, ("us", "ZZ", "USA", "")))
