"""A CRM that is down, then refuses, while disposition is killed: at the end it took everything, once and verified."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from campaign_run import Plan, run, wait_for

from outdial_cli.demo.run import with_webhook
from outdial_cli.demo.watch import Watch
from outdial_cli.records import TopicReader
from outdial_cli.report.webhooks import TOLD_TOPICS, webhook_books
from outdial_cli.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
CAMPAIGN = "webhooks"
SETTLE_SECONDS = 60.0
SCENARIO = {
    "schema": 1,
    "seed": 5,
    "clock_start": "2026-11-17T15:00:00Z",
    "agents": {"count": 4, "login_spread_seconds": 1, "talk_mean_seconds": 2, "talk_cv": 0.4, "wrap_mean_seconds": 1},
    "carrier": {"pdd_ms": [50, 100], "digest": True, "loss": 0.0},
    "callees": {
        "mix": {"human": 0.3, "voicemail": 0.1, "busy": 0.4, "not_found": 0.2},
        "ring_seconds": {"human": [1, 2], "voicemail": [1, 2]},
    },
}


class Crm:
    """The simulated CRM of the stack: its journal, and how it is told to fail."""

    def __init__(self, stack: Stack) -> None:
        stack.start_crm()
        self.url, self.log = stack.crm_url, stack.crm_log

    def fail(self, **how: Any) -> None:
        """{} ends it."""
        httpx.post(f"{self.url}/control", json=how, timeout=10).raise_for_status()

    def lines(self, event: str, **wanted: Any) -> list[dict[str, Any]]:
        """Of the journal."""
        whole = self.log.read_text(encoding="utf-8").split("\n")[:-1]
        return [
            line
            for line in map(json.loads, whole)
            if line["event"] == event and all(line.get(name) == value for name, value in wanted.items())
        ]


class Trouble:
    """What happens to the CRM and to disposition while the campaign dials."""

    def __init__(self, stack: Stack, crm: Crm) -> None:
        self._stack, self._crm = stack, crm

    def __call__(self, watch: Watch) -> None:
        crm = self._crm
        wait_for(lambda: len(crm.lines("taken")) >= 5, "the first webhooks")
        crm.fail(status=503, seconds=120)
        wait_for(lambda: len(crm.lines("failed", status=503)) >= 3, "tries at a CRM that is down")
        self._stack.kill("disposition")
        time.sleep(2.0)
        self._stack.restart("disposition")
        before = len(crm.lines("taken"))
        crm.fail()
        wait_for(lambda: len(crm.lines("taken")) > before, "webhooks after CRM and disposition are back")
        crm.fail(status=422, seconds=120, types=["lead.state"])
        wait_for(lambda: len(crm.lines("failed", status=422)) >= 2, "lead states that the CRM refuses")
        crm.fail()
        time.sleep(3.0)


def test_a_crm_takes_everything_once_through_kills_refusals_and_a_replay(stack: Stack, tmp_path: Path) -> None:
    crm = Crm(stack)
    webhook = with_webhook({}, stack.crm_url)
    plan = Plan(campaign_id=CAMPAIGN, team_id="hooks", scenario=SCENARIO, leads=60, seconds=0, campaign=webhook)
    run(stack, tmp_path, plan, Trouble(stack, crm))

    refused = {line["webhook_id"] for line in crm.lines("failed", status=422)}
    _settle(stack, crm, missing=len(refused))
    assert {d["webhook_id"] for d in _dead(stack)} == refused, "dead is what the CRM refused, and nothing else"
    assert all((d["trouble"], d["status"]) == ("STATUS", 422) for d in _dead(stack))

    replayed = httpx.post(f"{_url(stack)}/v1/webhooks/dead/replay", json={"campaign_id": CAMPAIGN}, timeout=10).json()
    assert replayed == {"replayed": len(refused)}
    books = _settle(stack, crm, missing=0)
    assert _dead(stack) == []
    assert books["expected"] == books["delivered"]
    assert min(books["expected"].values()) > 5
    assert (books["unexpected"], books["taken_twice"], books["forged"]) == (0, 0, 0)
    _no_number(stack, crm)


def _settle(stack: Stack, crm: Crm, *, missing: int) -> Mapping[str, Any]:
    """Until nothing waits and no more than `missing` has not come."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        records = TopicReader(stack.bootstrap, stack.topic_prefix).read(TOLD_TOPICS)
        books = webhook_books(records, crm.log, CAMPAIGN)
        waiting = _counts(stack).get("PENDING", 0)
        if waiting == 0 and books["missing"] == missing:
            return books
        assert time.monotonic() < deadline, f"{waiting} wait, {books}, dead {_dead(stack)}"
        time.sleep(0.5)


def _no_number(stack: Stack, crm: Crm) -> None:
    """Neither in what was told nor in the log of who told it; no secret and no URL there either."""
    told = crm.log.read_text(encoding="utf-8")
    said = (stack.logs_dir / "disposition.log").read_text(encoding="utf-8")
    assert "+1" not in told, "no number at all, ours included"
    assert stack.secrets.webhook_secret not in said + told
    assert stack.secrets.webhook_secret.removeprefix("whsec_") not in said + told
    assert "/hook" not in said


def _counts(stack: Stack) -> dict[str, int]:
    counts = httpx.get(f"{_url(stack)}/v1/webhooks", timeout=10).json()["campaigns"].get(CAMPAIGN, {})
    return dict(counts)


def _dead(stack: Stack) -> list[dict[str, Any]]:
    reply = httpx.get(f"{_url(stack)}/v1/webhooks/dead", params={"campaign_id": CAMPAIGN, "limit": 1000}, timeout=10)
    return list(reply.json()["dead"])


def _url(stack: Stack) -> str:
    return stack.addresses.url("disposition")
