"""The pages people read first name only targets, files and folders that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.contracts.sources import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += [*sorted((ROOT / "services").glob("*/README.md")), ROOT / "deploy" / "k8s" / "README.md"]
TARGET = re.compile(r"`(?:[A-Z]+=\S+ )?make ([a-z][a-z-]*)")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
DEFINED = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(DEFINED.findall((ROOT / "Makefile").read_text()))
    assert set(TARGET.findall(page.read_text())) <= targets


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{name(page)} links to {target}"
