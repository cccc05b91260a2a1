"""The committed examples mean what examples/README.md says."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Desk

EXAMPLES = Path(__file__).parents[3] / "examples"
REJECTED = {
    **dict.fromkeys(("DUPLICATE_LEAD_ID", "DUPLICATE_PERSON", "DUPLICATE_NUMBER"), 2),
    **dict.fromkeys(("MISSING_FIELD", "BAD_ENCODING", "BAD_NUMBER", "BAD_ENUM", "BAD_TIME", "BAD_SCORE"), 1),
    **dict.fromkeys(("EXPIRED", "TOO_MANY_COLUMNS", "TOO_LONG"), 1),
}


@pytest.mark.parametrize("desk", ["memory"], indirect=True)
async def test_every_row_of_the_example_is_accounted_for_and_every_number_is_fictional(desk: Desk) -> None:
    await desk.publish()
    body = (EXAMPLES / "leads.csv").read_bytes()
    reply = await desk.upload(body, campaign_id="c1", source="demo", dry_run="true")
    assert (reply["rows"], reply["leads"], reply["rejected"]) == (300, 285, REJECTED)
    numbers = [row["phone"] for row in reply["valid"]]
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", number) for number in numbers)
    assert len(set(numbers)) == 285


@pytest.mark.parametrize("desk", ["memory"], indirect=True)
async def test_leads_that_the_rules_block_are_offered_first(desk: Desk) -> None:
    await desk.publish()
    body = (EXAMPLES / "leads.csv").read_bytes()
    valid = (await desk.upload(body, campaign_id="c1", source="demo", dry_run="true"))["valid"]
    await desk.upload(body, campaign_id="c1", source="demo")
    with (EXAMPLES / "suppression.csv").open(encoding="utf-8", newline="") as file:
        listed = {row["phone"] or row["person_id"] for row in csv.DictReader(file)}
    closed = ("CA", "HI", "AK")
    blocked = {
        row["person_id"]
        for row in valid
        if not row["consents"] or row["address"]["region"] in closed or listed & {row["phone"], row["person_id"]}
    }
    assert len(blocked) == 38
    await desk.demand(38)
    assert set(await desk.offered()) == blocked
