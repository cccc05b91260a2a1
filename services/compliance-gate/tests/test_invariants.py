"""Any order of offers, redemptions, returns, suppressions and dispositions keeps the gate's invariants.

INVITEd is a subset of redeemed, so: one grant per leg and nonce; every cleared offer ends in one clearance.closed; a
person and a number have at most one open attempt; nobody is granted who was suppressed before; the ledger verifies.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import KeySet

from compliance_gate.adapters.memory import MemoryStore
from compliance_gate.domain import jose
from compliance_gate.domain.clearance import State
from compliance_gate.domain.ledger import Chain
from compliance_gate.domain.suppression import Wanted
from compliance_gate.domain.verification import lines_of, verify
from compliance_gate.handlers.failing import not_ready, retried, unavailable
from compliance_gate.handlers.ledger import export
from compliance_gate.handlers.offers import lapse_expired, on_offer_returned
from compliance_gate.handlers.suppressions import store
from compliance_gate.ports import StoreUnavailable
from outdial_contracts.events import (
    CampaignState,
    ComplianceCleared,
    OfferReturned,
    OfferReturnReason,
    SuppressionSource,
)
from outdial_runtime.outcome import RetryLater
from outdial_runtime.requests import NotReady
from outdial_runtime.service import TickInput

PEOPLE, OFFERS = 3, 6
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("redeem"), st.integers(0, OFFERS - 1), st.integers(1, 2), st.integers(0, 1)),
        st.tuples(st.sampled_from(["clear", "return", "dispose"]), st.integers(0, OFFERS - 1)),
        st.tuples(st.just("suppress"), st.integers(0, PEOPLE - 1)),
        st.tuples(st.just("advance"), st.integers(1, 61)),
        st.tuples(st.sampled_from(["pause", "run", "lapse"])),
    ),
    max_size=25,
)


class Play:
    """Plays steps against one gate and keeps the books that the assertions look at."""

    def __init__(self, world: Any, a: Any) -> None:
        self.world = world
        self.offers = [
            a.offer(
                attempt_id=f"00000000-0000-5000-8000-00000000000{n}",
                person_id=f"p{n % PEOPLE}",
                phone=f"+1212555010{n % 4}",
                consents=(a.consent(consent_id=f"c{n}"),),
            )
            for n in range(OFFERS)
        ]
        self.cleared: dict[int, ComplianceCleared] = {}
        self.grants: Counter[tuple[int, int, int]] = Counter()
        self.suppressed: set[str] = set()

    async def step(self, name: str, *args: int) -> None:
        await getattr(self, f"do_{name}")(*args)
        people = Counter(keys.person for keys in self.world.memory.open_ids.values())
        numbers = Counter(keys.number for keys in self.world.memory.open_ids.values())
        assert max([0, *people.values(), *numbers.values()]) <= 1

    async def do_clear(self, n: int) -> None:
        answer = await self.world.clear(self.offers[n])
        if isinstance(answer, ComplianceCleared):
            self.cleared[n] = answer

    async def do_redeem(self, n: int, leg_no: int, nonce: int) -> None:
        if n not in self.cleared:
            return
        new = not any(r.leg_no == leg_no for r in self.world.memory.answers.get(self.offers[n].attempt_id, ()))
        reply = await self.world.redeem(self.world.asking(self.cleared[n], f"n{nonce}", leg_no))
        if reply.HasField("granted"):
            self.grants[n, leg_no, nonce] += 1
            assert not (new and self.offers[n].person_id in self.suppressed)

    async def do_return(self, n: int) -> None:
        if n in self.cleared:
            event = OfferReturned(
                attempt_id=self.offers[n].attempt_id,
                team_id="blue",
                campaign_id="spring",
                campaign_version=1,
                context=self.offers[n].context,
                reason=OfferReturnReason.SKIPPED,
                returned_at=self.world.clock.now(),
            )
            await on_offer_returned(self.world.received(event), self.world.deps)

    async def do_dispose(self, n: int) -> None:
        await self.world.memory.dispose(self.offers[n].attempt_id, n % 2 == 0, (), 1)

    async def do_suppress(self, person: int) -> None:
        wanted = Wanted(
            suppression_id=f"s{person}",
            seller_id="*",
            source=SuppressionSource.CRM,
            requested_at=self.world.clock.now(),
            person_id=f"p{person}",
        )
        await store([wanted], self.world.deps)
        self.suppressed.add(f"p{person}")

    async def do_advance(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    async def do_pause(self) -> None:
        self.world.publish(CampaignState.PAUSED)

    async def do_run(self) -> None:
        self.world.publish()

    async def do_lapse(self) -> None:
        await lapse_expired(TickInput(now=self.world.clock.now(), partition=None), self.world.deps)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_any_order_keeps_the_books(steps: list[tuple[Any, ...]], make_fake: Any, a: Any) -> None:
    async def play() -> None:
        world = make_fake()
        world.publish()
        game = Play(world, a)
        for n in range(OFFERS):
            await game.step("clear", n)
        for step in steps:
            await game.step(*step)
        await game.do_advance(61)
        await game.do_lapse()
        for n, cleared in game.cleared.items():
            outcomes = await world.closed(cleared.attempt_id)
            assert len(outcomes) == 1
            granted = {(leg, nonce) for (m, leg, nonce), _ in game.grants.items() if m == n}
            assert len(granted) == len({leg for leg, _ in granted})
            assert (outcomes == ["REDEEMED"]) == bool(granted)
            assert world.memory.clearances[cleared.attempt_id].state is not State.RESERVED
        keys = KeySet.import_key_set(world.deps.signer.public_keys())
        exported = b"".join([chunk async for chunk in export(world.deps)])
        assert verify(lines_of(exported), lambda token: jose.verify(token, keys)).problems == []

    asyncio.run(play())


@pytest.fixture(scope="session")
def make_fake(make_deps: Any) -> Any:
    """A gate on a fresh memory store, again and again."""
    chains = {chain: f"boot.{chain.value}" for chain in Chain}

    def make() -> Any:
        memory = MemoryStore(chains)
        world = make_deps(memory, chains)
        world.memory = memory
        return world

    return make


async def test_store_that_is_away_means_again_later_unavailable_and_503(fake: Any) -> None:
    async def broken(message: Any, deps: Any) -> Any:
        raise StoreUnavailable("ConnectionDoesNotExistError")

    assert isinstance(await retried(broken)(None, fake.deps), RetryLater)
    with pytest.raises(NotReady):
        await not_ready(broken)(fake.request(b""), fake.deps)
    assert (await unavailable(broken)(fake.request(b""), fake.deps)).reply.status == 503
