"""docs/pipeline.md names only files, functions and topics that are there, and handlers that do take their events."""

from __future__ import annotations

import ast
import importlib
import re

import pytest

from outdial_contracts.topics import TOPICS
from tools.contracts.sources import ROOT

PAGE = ROOT / "docs" / "pipeline.md"
LINK = re.compile(r"\[`([^`]+)`\]\(([^)]+)\)")
HOP = re.compile(r"^### \d+\. (.*)$", re.MULTILINE)
TOPIC = re.compile(r"`([a-z-]+\.[a-z]+)(?:\{\w+\})?`")
NO_TOPICS = {"outdial.proto"}
SERVICES = ("lead_router", "compliance_gate", "pacer", "media_gateway", "disposition", "analytics", "console")


def links() -> list[tuple[str, str]]:
    return LINK.findall(PAGE.read_text())


def names_defined(source: str) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    } | {
        target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


@pytest.mark.parametrize(("text", "target"), sorted(set(links())))
def test_file_and_function_are_there(text: str, target: str) -> None:
    path = (PAGE.parent / target).resolve()
    assert path.is_file()
    name, _, function = text.partition(":")
    assert path.name.partition(".")[0] == name.partition(".")[0]
    if function:
        assert function in names_defined(path.read_text())


def test_every_topic_named_is_one_of_the_contract() -> None:
    prose = PAGE.read_text().partition("## The graph")[0]
    named = {name for name in TOPIC.findall(prose) if name not in NO_TOPICS}
    assert named
    assert named <= set(TOPICS)


def test_the_page_walks_every_handler_it_says_takes_an_event() -> None:
    """A function `on_<event>` that the page names is what the service subscribes with."""
    for text, target in links():
        function = text.partition(":")[2]
        event = function.removeprefix("on_")
        if not function.startswith("on_") or event.replace("_", ".") not in TOPICS:
            continue
        package = next(p for p in SERVICES if f"/{p}/" in target)
        subscriptions = importlib.import_module(f"{package}.app").SUBSCRIPTIONS
        handlers = {subscribed.TOPIC: s.handler for subscribed, s in subscriptions.items()}
        assert handlers[event.replace("_", ".")].__name__ == function


def test_each_hop_says_what_a_crash_does() -> None:
    hops = HOP.split(PAGE.read_text())[2::2]
    assert len(hops) == 10
    for hop in hops:
        for row in ("| handler |", "| decides |", "| returns |", "| written |", "| a crash |"):
            assert row in hop
