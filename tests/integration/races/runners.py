"""The three races: what their clients do. Each returns when the last of them is done."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic

from outdial_contracts.events import ComplianceCleared, LeadReady, OfferReturned, OfferReturnReason
from tests.integration.races import people
from tests.integration.races.clients import Clients, Who
from tests.integration.races.history import Disposed, History, Offered, OptOut, Race, Result
from tests.integration.races.people import Campaign, Person
from tests.integration.races.wire import Undecided, Wire

FIFTY = Campaign(campaign_id="fifty", seller_id="S-fifty", topic_id="T1", cap=3, ttl_seconds=600)
OPT_OUTS = Campaign(campaign_id="opt-outs", seller_id="S-opt-outs", topic_id="T1", cap=3, ttl_seconds=600)
CAMPAIGNS = tuple(
    Campaign(campaign_id=f"crowd-{n}", seller_id=seller, topic_id=topic, cap=cap, ttl_seconds=10)
    for n, (seller, topic, cap) in enumerate(
        [*(4 * [("S1", "T1", 3)]), *(2 * [("S1", "T2", 7)]), ("S2", "T1", 2), ("S3", "T3", 1)]
    )
)
"""Four of one seller and topic, two of its other topic (which meet the house's cap of 8 per seller), two of others."""
ATTEMPTS_AT_ONCE = 3
REPEATERS = 5
"""Of fifty, so many ask once more with their nonce."""
LANES = 3
RING_SECONDS = (0.02, 0.15)
NOT_DIALLED_SHARE = 0.15
LEFT_TO_LAPSE_SHARE = 0.04
RIVALS_SHARE = 0.3
PEOPLE_AT_ONCE = 25
DIALLED_WITHIN_SECONDS, ASKED_WITHIN_SECONDS = 1.6, 0.9


@dataclass(frozen=True, kw_only=True)
class Track:
    """What a race runs on."""

    wire: Wire
    clients: Clients
    seen: History
    seed: int

    def chance(self, name: str) -> random.Random:
        """A stream of its own."""
        return random.Random(f"races:{self.seed}:{name}")

    def offer(self, race: Race, campaign: Campaign, person: Person, number: str, offer_no: int) -> LeadReady:
        """Sends an offer and notes it."""
        made = people.offer(campaign, person, number, offer_no, self.clients.now())
        self.seen.offered[made.attempt_id] = Offered(
            attempt_id=made.attempt_id,
            race=race,
            campaign_id=campaign.campaign_id,
            seller_id=campaign.seller_id,
            topic_id=campaign.topic_id,
            person=person.name,
            number=number,
            cap=campaign.cap,
        )
        self.wire.send(made)
        return made

    async def cleared(self, made: LeadReady) -> ComplianceCleared | None:
        """Its clearance; None when it is blocked or undecided (the judge counts those)."""
        try:
            decision = await self.wire.decision(made.attempt_id)
        except Undecided:
            return None
        return decision if isinstance(decision, ComplianceCleared) else None

    def dispose(self, cleared: ComplianceCleared, *, charged: bool) -> None:
        """The call is over."""
        now = self.clients.now()
        self.seen.disposed.append(Disposed(attempt_id=cleared.attempt_id, at=monotonic(), charged=charged))
        self.wire.send(people.disposition(cleared, now, charged=charged))


async def clear_all(
    track: Track, race: Race, campaign: Campaign, everyone: Iterable[Person]
) -> list[ComplianceCleared]:
    """One offer for each number of everybody, all decided."""
    made = [track.offer(race, campaign, person, number, 1) for person in everyone for number in person.numbers]
    return [one for one in await asyncio.gather(*(track.cleared(one) for one in made)) if one is not None]


async def fifty_redeemers(track: Track, cleared: Sequence[ComplianceCleared], redeemers: int) -> None:
    """So many nonces for each attempt at once; some ask again once they were answered."""

    async def one(attempt: ComplianceCleared) -> None:
        await asyncio.gather(*(redeemer(attempt, n) for n in range(redeemers)))

    async def redeemer(attempt: ComplianceCleared, n: int) -> None:
        chance = track.chance(f"fifty:{attempt.attempt_id}:{n}")
        answer = await track.clients.redeem(attempt, f"n{n}", chance)
        if n < REPEATERS or answer.result is Result.GRANTED:
            await track.clients.redeem(attempt, f"n{n}", chance)

    await limited(ATTEMPTS_AT_ONCE, [one(attempt) for attempt in cleared])


async def eight_campaigns(track: Track, everyone: Sequence[Person], rounds: int) -> None:
    """Every campaign offers everybody in an order of its own, again and again."""

    async def attempt(campaign: Campaign, person: Person, number: str, offer_no: int, chance: random.Random) -> None:
        cleared = await track.cleared(track.offer(Race.CAMPAIGNS, campaign, person, number, offer_no))
        if cleared is None or chance.random() < LEFT_TO_LAPSE_SHARE:
            return
        nonces = ("a", "b") if chance.random() < RIVALS_SHARE else ("a",)
        answers = await asyncio.gather(*(track.clients.redeem(cleared, nonce, chance) for nonce in nonces))
        if any(answer.result is Result.GRANTED for answer in answers):
            await asyncio.sleep(chance.uniform(*RING_SECONDS))
            track.dispose(cleared, charged=chance.random() >= NOT_DIALLED_SHARE)

    async def lane(campaign: Campaign, n: int) -> None:
        chance = track.chance(f"campaigns:{campaign.campaign_id}:{n}")
        for offer_no in range(n + 1, rounds + 1, LANES):
            for person in chance.sample(list(everyone), len(everyone)):
                await attempt(campaign, person, chance.choice(person.numbers), offer_no, chance)

    await asyncio.gather(*(lane(campaign, n) for campaign in CAMPAIGNS for n in range(min(LANES, rounds))))


async def opt_outs(track: Track, cleared: Sequence[ComplianceCleared]) -> None:
    """Everybody opts out about when their numbers are dialled; who cannot be dialled is given back."""
    by_person: dict[str, list[ComplianceCleared]] = {}
    for one in cleared:
        by_person.setdefault(track.seen.offered[one.attempt_id].person, []).append(one)
    await limited(PEOPLE_AT_ONCE, [_opting_out(track, name, attempts) for name, attempts in by_person.items()])


async def _opting_out(track: Track, person: str, attempts: Sequence[ComplianceCleared]) -> None:
    chance = track.chance(f"opt-outs:{person}")

    async def dialled(attempt: ComplianceCleared, after_seconds: float) -> None:
        await asyncio.sleep(after_seconds)
        result = await track.clients.dial(attempt, chance)
        if result is Result.GRANTED:
            await asyncio.sleep(chance.uniform(*RING_SECONDS))
            track.dispose(attempt, charged=True)
        elif result is Result.UNANSWERED:
            track.wire.send(_returned(track, attempt))

    async def asked(after_seconds: float) -> None:
        who, bound = _whom(track, person, chance.choice(list(attempts)), chance)
        await asyncio.sleep(after_seconds)
        await track.clients.opt_out(who, bound, chance)

    times = [chance.uniform(0, DIALLED_WITHIN_SECONDS) for _ in attempts]
    dials = [dialled(attempt, after) for attempt, after in zip(attempts, times, strict=True)]
    await asyncio.gather(asked(chance.uniform(0, ASKED_WITHIN_SECONDS)), *dials)


def _whom(track: Track, person: str, attempt: ComplianceCleared, chance: random.Random) -> tuple[Who, OptOut]:
    """By an attempt (its person and its number), by the person, or by the number alone."""
    number = track.seen.offered[attempt.attempt_id].number
    who, persons, numbers = chance.choice(
        (
            (Who(attempt_id=attempt.attempt_id), {person}, {number}),
            (Who(person=person), {person}, set[str]()),
            (Who(number=number), set[str](), {number}),
        )
    )
    bound = OptOut(
        suppression_id=str(uuid.UUID(int=chance.getrandbits(128))),
        how=chance.choice(("grpc", "http")),
        persons=frozenset(persons),
        numbers=frozenset(numbers),
        asked_at=0.0,
        acknowledged_at=None,
    )
    return who, bound


def _returned(track: Track, attempt: ComplianceCleared) -> OfferReturned:
    return OfferReturned(
        attempt_id=attempt.attempt_id,
        team_id=attempt.team_id,
        campaign_id=attempt.campaign_id,
        campaign_version=attempt.campaign_version,
        context=attempt.context,
        reason=OfferReturnReason.SKIPPED,
        returned_at=track.clients.now(),
    )


async def limited(most: int, work: Sequence[Awaitable[None]]) -> None:
    """All of it, so many at a time."""
    gate = asyncio.Semaphore(most)

    async def one(piece: Awaitable[None]) -> None:
        async with gate:
            await piece

    await asyncio.gather(*(one(piece) for piece in work))
