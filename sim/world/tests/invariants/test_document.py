"""docs/invariants.md names every invariant and only files that are there."""

from __future__ import annotations

import re

from outdial_world.bugs.patches import REPOSITORY, all_bugs
from outdial_world.invariants import Name

TEXT = (REPOSITORY / "docs" / "invariants.md").read_text("utf-8")


def test_every_invariant_has_one_row() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE)
    assert sorted(rows) == sorted(name.value for name in Name)


def test_every_place_that_is_named_exists() -> None:
    places = set(re.findall(r"`((?:services|libs|sim|tests|schemas)/[^`]*)`", TEXT))
    assert len(places) > 20
    assert [place for place in places if not (REPOSITORY / place).exists()] == []


def test_every_bug_is_meant_by_an_invariant_of_the_document() -> None:
    for bug in all_bugs():
        assert all(f"`{name.value}`" in TEXT for name in bug.caught_by), bug.title
