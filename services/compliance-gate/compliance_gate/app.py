"""Composition root of compliance-gate: opens adapters, hands them to handlers, says what it consumes and serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from compliance_gate.adapters.drop_limits import load_drop_limits
from compliance_gate.adapters.list_store import ListFolder, SnapshotLists
from compliance_gate.adapters.postgres import PostgresStore
from compliance_gate.adapters.reassigned_files import export_questions, import_answers
from compliance_gate.adapters.restored import say_restored
from compliance_gate.adapters.rule_pack import LAW, load_rule_pack, pin_time_zones, shipped
from compliance_gate.adapters.signing import Ed25519Signer
from compliance_gate.cli.terms import Tools
from compliance_gate.config import Config
from compliance_gate.domain.ledger import Chain, Entry, Frontier, RecordKind
from compliance_gate.domain.live import LiveBook
from compliance_gate.domain.restore import RestoreLock
from compliance_gate.domain.rules import RulePack
from compliance_gate.handlers import http, ledger, offers
from compliance_gate.handlers.budget import publish_budgets
from compliance_gate.handlers.campaigns import on_campaign_published, on_stop_changed, record_overrides
from compliance_gate.handlers.dispositions import on_call_disposition
from compliance_gate.handlers.failing import not_ready, rechecked, retried, together, unavailable, unless_locked
from compliance_gate.handlers.health import get_health
from compliance_gate.handlers.keys import key_entry, take_up_keys
from compliance_gate.handlers.lists import get_lists, listed, take_up
from compliance_gate.handlers.preflight import post_preflight
from compliance_gate.handlers.reassigned import announce_answers
from compliance_gate.handlers.redeem import redeem
from compliance_gate.handlers.reports import get_compliance_report
from compliance_gate.handlers.restoring import lost_chains, not_ready_because, record_lost, watch_restore
from compliance_gate.handlers.suppressions import on_suppression_submitted, suppress
from compliance_gate.handlers.suspensions import get_suspensions, post_lift, post_suspension
from compliance_gate.ports import Deps, Guard, Lists, NoLists, Signer, Store
from outdial_contracts.base import Event
from outdial_contracts.events import (
    CallDisposition,
    CampaignPublished,
    LeadReady,
    OfferReturned,
    StopChanged,
    SuppressionSubmitted,
)
from outdial_contracts.identity import TokenKeys
from outdial_runtime.migrations import migrate
from outdial_runtime.service import Batched, GrpcMethod, HttpRoute, Read, Service, Subscription, Tick, Toolkit

NAME = "compliance-gate"
T = TypeVar("T")
MIGRATIONS = Path(str(resources.files("compliance_gate") / "migrations"))
STATEMENT_TIMEOUT_SECONDS = 5.0
OFFERS_AT_ONCE = 100
"""In one transaction: a Redeem of one of their persons waits for all of them, and so does a Suppress."""
DECIDE = retried(unless_locked(offers.on_lead_ready))

SUBSCRIPTIONS: dict[type[Event], Subscription] = {
    LeadReady: Subscription(
        handler=DECIDE,
        batched=Batched(handler=together(offers.on_lead_ready_batch, DECIDE), most=OFFERS_AT_ONCE),
    ),
    OfferReturned: Subscription(handler=retried(offers.on_offer_returned)),
    CallDisposition: Subscription(handler=retried(on_call_disposition)),
    SuppressionSubmitted: Subscription(handler=retried(on_suppression_submitted)),
    CampaignPublished: Subscription(handler=on_campaign_published, read=Read.WHOLE),
    StopChanged: Subscription(handler=on_stop_changed, read=Read.WHOLE),
}
TICKS = (
    Tick(handler=rechecked(watch_restore), every_seconds=0.5),
    Tick(handler=retried(offers.lapse_expired), every_seconds=1.0),
    Tick(handler=retried(ledger.checkpoint), every_seconds=5.0),
    Tick(handler=retried(take_up), every_seconds=2.0),
    Tick(handler=take_up_keys, every_seconds=2.0),
    Tick(handler=retried(record_overrides), every_seconds=1.0),
    Tick(handler=retried(announce_answers), every_seconds=2.0),
    Tick(handler=retried(publish_budgets), every_seconds=1.0),
)
REQUESTS: tuple[GrpcMethod | HttpRoute, ...] = (
    GrpcMethod(service="Clearance", method="Redeem", handler=not_ready(redeem)),
    GrpcMethod(service="Clearance", method="Suppress", handler=not_ready(suppress)),
    HttpRoute(method="GET", path="/v1/health", handler=get_health),
    HttpRoute(method="GET", path="/v1/lists", handler=get_lists),
    HttpRoute(method="GET", path="/v1/keys", handler=unavailable(http.get_keys)),
    HttpRoute(method="POST", path="/v1/preflight", handler=unavailable(post_preflight)),
    HttpRoute(method="POST", path="/v1/suppressions", handler=unavailable(http.post_suppressions)),
    HttpRoute(method="POST", path="/v1/opt-outs", handler=unavailable(http.post_opt_out)),
    HttpRoute(method="GET", path="/v1/suspensions", handler=unavailable(get_suspensions)),
    HttpRoute(method="POST", path="/v1/suspensions", handler=unavailable(post_suspension)),
    HttpRoute(method="POST", path="/v1/suspensions/{suspension_id}/lift", handler=unavailable(post_lift)),
    HttpRoute(method="GET", path="/v1/evidence/{attempt_id}", handler=unavailable(http.get_evidence)),
    HttpRoute(method="GET", path="/v1/ledger/export", handler=unavailable(http.get_export)),
    HttpRoute(method="GET", path="/v1/reports/compliance", handler=unavailable(get_compliance_report)),
    HttpRoute(method="GET", path="/v1/stats", handler=unavailable(http.get_stats)),
)


def build_tools() -> Tools:
    """What the command line needs from adapters."""
    return Tools(
        load_pack=lambda files: load_rule_pack(files or shipped(*LAW), tzdata=pin_time_zones()),
        lists=ListFolder(now=lambda: datetime.now(UTC)),
        export_questions=_export_questions,
        import_answers=_import_answers,
        say_restored=_say_restored,
    )


def _say_restored(accept_loss: bool) -> RestoreLock:
    return _asked(say_restored(Config.from_env().postgres_dsn, accept_loss=accept_loss))


def _export_questions(pack: RulePack, out: Path, progress: Callable[[int], None]) -> int:
    return _asked(export_questions(Config.from_env().postgres_dsn, pack, out, progress))


def _import_answers(
    file: Path, answered_at: datetime, now: datetime, progress: Callable[[int], None]
) -> dict[str, int]:
    config = Config.from_env()
    return _asked(import_answers(config.postgres_dsn, config.token_keys, file, answered_at, now, progress))


def _asked(work: Coroutine[Any, Any, T]) -> T:
    """What a tool asks the database; a file's own error stays as it is."""
    try:
        return asyncio.run(work)
    except OSError as error:
        if error.filename is not None:
            raise
        raise ValueError(f"OUTDIAL_POSTGRES_DSN: the database does not answer ({type(error).__name__})") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ValueError(f"OUTDIAL_POSTGRES_DSN: the database does not answer ({type(error).__name__})") from None


def build_service(config: Config) -> Service:
    """The service; nothing is opened before the runtime enters `build`."""

    def build(toolkit: Toolkit) -> AbstractAsyncContextManager[Deps]:
        return _open(config, toolkit)

    return Service(
        name=NAME,
        build=build,
        subscriptions=SUBSCRIPTIONS,
        ticks=TICKS,
        requests=REQUESTS,
        ready=not_ready_because,
    )


@asynccontextmanager
async def _open(config: Config, toolkit: Toolkit) -> AsyncIterator[Deps]:
    """Opens key, rules and database, migrates, and begins this boot."""
    pack = load_rule_pack(config.rule_pack_files, tzdata=pin_time_zones())
    signer = Ed25519Signer.load(config.signing_key_file)
    async with asyncpg.create_pool(
        config.postgres_dsn, min_size=2, max_size=config.pool_size, command_timeout=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        await migrate(pool, MIGRATIONS)
        outbox = toolkit.table_outbox(pool)
        lists = SnapshotLists(config.lists_dir)
        await lists.refresh()  # an offer is not to be blocked for a list that is still being read
        yield await begin(
            lambda chains: PostgresStore(pool, outbox, chains),
            toolkit,
            pack,
            signer,
            config.token_keys,
            asyncio.sleep,
            lists,
        )


async def begin(
    open_store: Callable[[Mapping[Chain, str]], Store],
    toolkit: Toolkit,
    pack: RulePack,
    signer: Signer,
    tokens: TokenKeys,
    pause: Callable[[float], Awaitable[None]],
    lists: Lists | None = None,
) -> Deps:
    """Begins a boot on a store: its ledger chains, whose first records name what a restore made the store forget.

    Args:
        open_store: makes the store from this boot's chain ids.
        pause: waits real seconds.
        lists: copies of external lists, taken up already.
    """
    boot_id = toolkit.chance.token()
    chains = {chain: f"{boot_id}.{chain.value}" for chain in Chain}
    deps = Deps(
        store=open_store(chains),
        signer=signer,
        tokens=tokens,
        pack=pack,
        live=LiveBook(),
        outbox=toolkit.outbox,
        clock=toolkit.clock,
        pause=pause,
        chains=chains,
        frontiers={chain_id: Frontier() for chain_id in chains.values()},
        past=toolkit.past,
        guard=Guard(verified=False),
        lists=lists or NoLists(),
        drop_limits=load_drop_limits(),
    )
    lost, after = await lost_chains(deps.store, toolkit.past)
    boot = {
        "boot_id": boot_id,
        "clock_shifted": toolkit.clock.shifted,
        "rule_pack": pack.version,
        "tzdata": pack.tzdata,
        "lists": listed(deps.lists.in_force()),
        "key_id": signer.key_id,
        "at": toolkit.clock.now().isoformat(),
        **({"lost": {chain: [seq, head] for chain, (seq, head) in lost.items()}} if lost else {}),
    }
    for chain in Chain:
        await deps.store.open_chain(chain, boot)
    async with deps.store.transaction() as tx:
        await tx.append(
            Chain.DECISIONS, [*packs_loaded(pack, toolkit.clock.now()), key_entry(signer, toolkit.clock.now())]
        )
    await record_lost(lost, after, deps)
    return deps


def packs_loaded(pack: RulePack, at: datetime) -> list[Entry]:
    """A record for each file that the rules of this boot came from."""
    return [
        Entry(
            kind=RecordKind.PACK,
            body={
                "file": file.name,
                "version": file.version,
                "sha256": file.sha256,
                "tzdata": pack.tzdata,
                "at": at.isoformat(),
            },
        )
        for file in pack.files
    ]
