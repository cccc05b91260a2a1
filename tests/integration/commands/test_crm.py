"""The simulated CRM, a stranger to our code, publishes leads and opts a person out; nothing is taken twice."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from campaign_run import EXAMPLES, wait_for

from outdial_cli.demo.services import Services
from outdial_cli.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
CAMPAIGN = "crm-walk"
ROWS = 8


def test_crm_publishes_each_lead_once_and_opts_a_person_out(stack: Stack, tmp_path: Path) -> None:
    services = Services(stack.addresses)
    campaign = yaml.safe_load((EXAMPLES / "campaign.yaml").read_text())
    services.publish_campaign({**campaign, "id": CAMPAIGN, "team": "crm-team"})
    leads = _leads(tmp_path)
    router = stack.addresses.url("lead-router")
    for _ in range(2):
        _crm("publish", "--leads", str(leads), "--router", router, "--campaign", CAMPAIGN)
    counts = services.get("lead-router", f"/v1/campaigns/{CAMPAIGN}/leads")
    assert counts["leads"] == ROWS
    with leads.open(encoding="utf-8") as file:
        person = next(csv.DictReader(file))["person_id"]
    _crm("suppress", "--person", person, "--url", stack.addresses.url("compliance-gate"))
    # Known to lead-router by suppression.changed: one lead less that can be called.
    wait_for(lambda: _status(services).get("SUPPRESSED", 0) == 1, "the opt-out to reach lead-router", 30)
    services.close()


def _status(services: Services) -> dict[str, int]:
    by_status: dict[str, int] = services.get("lead-router", f"/v1/campaigns/{CAMPAIGN}/leads")["by_status"]
    return by_status


def _leads(folder: Path) -> Path:
    """The first callable rows of the example under ids of their own."""
    with (EXAMPLES / "leads.csv").open(encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        rows = [r for r in reader if None not in r and r["consent_level"] == "pewc" and float(r["score"] or 0) < 0.9]
        names = list(reader.fieldnames or ())
    path = folder / "leads.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, names)
        writer.writeheader()
        for row in rows[:ROWS]:
            writer.writerow({**row, "lead_id": f"crm-{row['lead_id']}", "person_id": f"crm-{row['person_id']}"})
    return path


def _crm(*words: str) -> None:
    script = Path(sys.executable).with_name("outdial-sim")
    done = subprocess.run([str(script), "crm", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
