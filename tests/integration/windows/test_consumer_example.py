"""The example for data teams runs, and keeps the greatest revision whatever is repeated or comes late."""

from __future__ import annotations

import asyncio
import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from outdial_cli.config import child_environment
from outdial_contracts.codec import encode
from outdial_contracts.events import ConnectRateWindow
from outdial_contracts.topics import TOPICS
from outdial_testing.examples import load_examples
from outdial_testing.kafka_topics import create_topics
from tests.integration.windows.stream import Wire
from tests.integration.windows.topics import Topics

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[3]


def test_the_example_keeps_the_greatest_revision_of_each_window(kafka_bootstrap: str) -> None:
    prefix = asyncio.run(create_topics(kafka_bootstrap, ConnectRateWindow.TOPIC))
    one = next(w for w in load_examples(ConnectRateWindow.TOPIC) if isinstance(w, ConnectRateWindow) and w.attempts)
    later = replace(one, revision=one.revision + 2, attempts=40, connects=10)
    other = replace(one, slice="autumn/unknown", window_id="autumn/unknown/300/x", revision=7, attempts=0, connects=0)
    said = [one, later, one, later, replace(one, revision=one.revision + 1, attempts=39), other]
    Topics(bootstrap=kafka_bootstrap, prefix=prefix).produce([wire(window) for window in said])
    command = (sys.executable, "examples/read_windows.py", kafka_bootstrap, prefix)
    ended = subprocess.run(
        command, cwd=ROOT, env=child_environment({}), capture_output=True, text=True, timeout=60, check=True
    )
    rows = {row["window_id"]: row for row in csv.DictReader(io.StringIO(ended.stdout))}
    assert {name: (row["attempts"], row["connects"], row["connect_rate"]) for name, row in rows.items()} == {
        one.window_id: ("40", "10", "0.2500"),
        other.window_id: ("0", "0", ""),
    }


def wire(window: ConnectRateWindow) -> Wire:
    """As analytics writes it, without headers: the example needs none."""
    topic = TOPICS[window.TOPIC]
    return Wire(topic=topic.name, key=topic.key_of(window).encode(), value=encode(window), headers=[])
