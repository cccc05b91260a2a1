"""A CRM: submits leads while the campaign runs, some twice, again after a restore; suppresses by topic and by HTTP."""

from __future__ import annotations

import asyncio
import random
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from outdial_contracts.events import SuppressionSource, SuppressionSubmitted
from outdial_world.campaign import FIRST_LEADS, SELLER, WorldLead
from outdial_world.net import Away

if TYPE_CHECKING:
    from outdial_world.world import World

GAP_SECONDS = 1.0
TWICE_SHARE = 0.05
AGAIN_SECONDS = 0.8
OPT_OUTS = 8
NOT_NOW = 503
"""The service reads its topics back, or its database is away: come again."""
NAMES = uuid.UUID("6f1d7c0e-2a53-5f0b-9a56-0d6f0c1b7e11")


class Crm:
    """The world's CRM; `done` once it has said all it will say."""

    def __init__(self, world: World, leads: list[WorldLead]) -> None:
        self._world, self._leads = world, leads
        self._stream = world.draws.stream("crm")
        self._sent: list[tuple[datetime, WorldLead]] = []
        self.importing = 0
        """Imports after a restore that are not through."""
        self.done = False

    async def run(self) -> None:
        """Submits and suppresses side by side."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._submit_all())
            for n in range(OPT_OUTS):
                tasks.create_task(self._suppress(n, self._world.draws.stream(f"opt-out/{n}")))
        self.done = True

    async def import_again(self, taken_at: datetime) -> None:
        """What lead-router's backup can't hold (docs/restore.md, runbook 5): no topic knows leads that came by HTTP."""
        self.importing += 1
        lost = [lead for at, lead in self._sent if at >= taken_at]
        for lead in dict.fromkeys(lost):
            await self._submit(lead, f"restored-{taken_at.isoformat()}-{lead.lead_id}")
        self.importing -= 1

    async def _submit_all(self) -> None:
        for n, lead in enumerate(self._leads):
            await self._submit(lead, f"crm-{lead.lead_id}")
            if self._stream.random() < TWICE_SHARE:
                await self._submit(lead, f"crm-{lead.lead_id}" if self._stream.random() < 0.5 else f"again-{n}")
            if n >= FIRST_LEADS:
                await asyncio.sleep(self._stream.uniform(0.0, 2 * GAP_SECONDS))

    async def _submit(self, lead: WorldLead, key: str) -> None:
        await self._post("lead-router", "/v1/leads", lead.document(), {"Idempotency-Key": key})
        self._sent.append((self._world.clock.now(), lead))

    async def _suppress(self, n: int, stream: random.Random) -> None:
        """One person, by number or by name, by HTTP (acknowledged) or by topic (some time later)."""
        await asyncio.sleep(stream.uniform(10.0, 180.0))
        lead = stream.choice(self._leads)
        by_phone, seller = stream.random() < 0.5, stream.choice((SELLER, "*"))
        who = {"phone": lead.phone} if by_phone else {"person_id": lead.person_id}
        if stream.random() < 0.6:
            await self._post("compliance-gate", "/v1/opt-outs", {**who, "seller_id": seller, "source": "CRM"}, {})
            self._world.note_person("crm", "opt-out acknowledged", person_id=lead.person_id)
            return
        event = SuppressionSubmitted(
            suppression_id=str(uuid.uuid5(NAMES, f"{self._world.draws.seed}:{n}")),
            phone=lead.phone if by_phone else None,
            person_id=None if by_phone else lead.person_id,
            seller_id=seller,
            source=SuppressionSource.CRM,
            requested_at=self._world.clock.now(),
        )
        self._world.broker.publish(event, cause=f"crm:{n}", source="world")
        self._world.note_person("crm", "opt-out submitted", person_id=lead.person_id)

    async def _post(self, service: str, path: str, body: Any, headers: dict[str, str]) -> None:
        while True:
            try:
                reply = await self._world.net.http("crm", service, "POST", path, body, headers=headers)
            except Away:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if reply.status != NOT_NOW:
                return
            await asyncio.sleep(AGAIN_SECONDS)
