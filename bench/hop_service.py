"""The smallest service: one lead.state for each lead.submitted. Run as `python -m bench.hop_service [exactly-once]`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from outdial_contracts.events import LeadState, LeadStatus, LeadSubmitted
from outdial_runtime.config import RunConfig
from outdial_runtime.outcome import Outcome, Publish
from outdial_runtime.run import run
from outdial_runtime.service import Received, Service, Subscription, Toolkit

NAME = "bench-hop"
EXACTLY_ONCE = "exactly-once"


def state_of(lead: LeadSubmitted) -> LeadState:
    """What the service answers."""
    return LeadState(
        lead_id=lead.lead_id,
        source=lead.source,
        external_id=lead.external_id,
        campaign_id=lead.campaign_id,
        status=LeadStatus.WAITING,
        is_final=False,
        attempts=0,
        revision=1,
        at=lead.submitted_at,
        external_ref=lead.external_ref,
    )


async def on_lead_submitted(message: Received[LeadSubmitted], _deps: None) -> Outcome:
    """One event in, one event out, nothing remembered."""
    return Publish([state_of(message.event)])


@asynccontextmanager
async def _nothing(_toolkit: Toolkit) -> AsyncIterator[Any]:
    yield None


def main() -> None:
    """Runs until SIGTERM."""
    service = Service(
        name=NAME,
        build=_nothing,
        subscriptions={LeadSubmitted: Subscription(handler=on_lead_submitted)},
        exactly_once=EXACTLY_ONCE in sys.argv[1:],
    )
    sys.exit(run(service, RunConfig.from_env(NAME)))


if __name__ == "__main__":
    main()
