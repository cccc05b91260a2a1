"""The demo, phase by phase: start everything, say what will happen, dial, let it finish, count, prove."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from outdial_cli.campaign_file import refuse_unlawful, with_transcript
from outdial_cli.demo.happenings import Happened, Happenings
from outdial_cli.demo.inputs import DemoInputs, DemoOptions, read_inputs
from outdial_cli.demo.ledger_proof import LedgerProof, prove
from outdial_cli.demo.live import LiveView
from outdial_cli.demo.services import Services
from outdial_cli.demo.watch import Watch
from outdial_cli.records import TopicReader
from outdial_cli.report.books import Intake, RunInputs, broken_identities, report_of
from outdial_cli.report.facts import PATH_TOPICS, RunFacts, gather
from outdial_cli.report.page import keep, report_page
from outdial_cli.report.preflight import render_preflight
from outdial_cli.report.render import render_report
from outdial_cli.report.webhooks import TOLD_TOPICS, webhook_books
from outdial_cli.stack.environment import JWKS, WEBHOOK_SECRET_ENV, RunClock
from outdial_cli.stack.stack import Stack, StackOptions
from outdial_contracts.events import CloseOutcome
from outdial_contracts.identity import trace_id
from outdial_contracts.topics import TOPICS

DRAIN_SECONDS = 110.0
WEBHOOK_SECONDS = 30.0
REPORTS_FOLDER = "reports"
"""Under the data folder: one report.html per run."""
SPANS_SECONDS = 1.5
"""Exporters send every 200 ms; the collector needs a moment after the last."""


class Demo:
    """One run; `report` is report.json, `broken` what does not hold."""

    def __init__(self, options: DemoOptions) -> None:
        self._options = options
        self._inputs: DemoInputs = _lawful(read_inputs(options), options)
        self._phases: dict[str, float] = {}
        self._folder = options.data_dir / "demo"
        self.report: dict[str, Any] = {}
        self.broken: list[str] = []

    def run(self) -> int:
        """Exit code: 0 when every identity and invariant holds, else 1."""
        self._folder.mkdir(parents=True, exist_ok=True)
        clock = RunClock(start=self._inputs.clock_start, origin_seconds=time.monotonic())
        view = LiveView(self._options.seconds)
        reports, cache = self._options.data_dir / REPORTS_FOLDER, self._options.cache_dir
        options = StackOptions(data_dir=self._folder, cache_dir=cache, clock=clock, reports_dir=reports)
        stack = Stack(options, view.say)
        try:
            with self._phase("start"):
                stack.start()
                stack.start_crm()
            view.say(f"look at it: {stack.addresses.url('console')}/")
            services = Services(stack.addresses)
            try:
                self._campaign(stack, services, view)
            finally:
                services.close()
        finally:
            with self._phase("stop"):
                stack.stop()
        self._finish_report()
        return 1 if self.broken else 0

    def _campaign(self, stack: Stack, services: Services, view: LiveView) -> None:
        with self._phase("preflight"):
            intake, persons = self._prepare(stack, services)
        with Watch(stack.bootstrap, stack.topic_prefix) as watch:
            with self._phase("agents"):
                stack.start_world(self._options.scenario, self._inputs.campaign_id, self._inputs.team_id)
            with self._phase("dial"):
                window, happened = self._dial(stack, services, watch, persons, view)
            with self._phase("drain"):
                self._drain(services, watch, view)
                stack.stop_world()
        with self._phase("webhooks"):
            hooks = self._webhooks(stack)
        with self._phase("report"):
            time.sleep(SPANS_SECONDS)
            proof = self._ledger(stack, services)
            facts = self._facts(stack)
            self._count(facts, intake, window, happened, proof, hooks)
            self._evidence(services, facts)

    def _prepare(self, stack: Stack, services: Services) -> tuple[Intake, dict[str, str]]:
        """Publishes documents, loads suppressions, says what would be skipped, imports the leads."""
        inputs, options = self._inputs, self._options
        services.publish_route(with_port(inputs.route, stack.addresses.carrier_sip_port))
        services.publish_campaign(with_webhook(inputs.campaign, stack.crm_url))
        services.suppress(options.suppression)
        trial = services.import_leads(options.leads, inputs.campaign_id, dry_run=True)
        preflight = services.preflight(inputs.campaign, trial["valid"])
        render_preflight(trial, preflight, whole=False)
        done = services.import_leads(options.leads, inputs.campaign_id, dry_run=False)
        (self._folder / "rejected.json").write_text(json.dumps(done["errors"], indent=2))
        persons = {lead["lead_id"]: lead["person_id"] for lead in trial["valid"]}
        return Intake(rows=done["rows"], leads=done["leads"], rejected=done["rejected"]), persons

    def _dial(
        self, stack: Stack, services: Services, watch: Watch, persons: Mapping[str, str], view: LiveView
    ) -> tuple[tuple[float, float], Happened]:
        happenings = Happenings(stack, watch, persons, view.say)
        planned = sorted(self._inputs.events, key=lambda e: e.at_seconds)
        services.set_state(self._inputs.campaign_id, "RUNNING")
        started, began = time.monotonic(), time.time()
        with view:
            while (elapsed := time.monotonic() - started) < self._options.seconds:
                while planned and planned[0].at_seconds <= elapsed:
                    happenings.due(planned.pop(0))
                happenings.tick()
                view.show(elapsed, watch.picture, services.team(self._inputs.team_id))
                time.sleep(0.25)
        window = (began, time.time())
        while happenings.away:
            happenings.tick()
            time.sleep(0.1)
        return window, happenings.happened

    def _drain(self, services: Services, watch: Watch, view: LiveView) -> None:
        """Stops the campaign and waits until nothing is open."""
        services.set_state(self._inputs.campaign_id, "STOPPED")
        deadline = time.monotonic() + DRAIN_SECONDS
        time.sleep(1.0)
        while not watch.picture.settled and time.monotonic() < deadline:
            time.sleep(0.25)
        if not watch.picture.settled:
            view.say(f"something is still open after {DRAIN_SECONDS:.0f} s; the books will say what")

    def _webhooks(self, stack: Stack) -> dict[str, Any]:
        """Waits until the CRM took all that the topics say, or for too long; the books say which."""
        deadline = time.monotonic() + WEBHOOK_SECONDS
        while True:
            records = TopicReader(stack.bootstrap, stack.topic_prefix).read(TOLD_TOPICS)
            books = webhook_books(records, stack.crm_log, self._inputs.campaign_id)
            if not books["missing"] or time.monotonic() > deadline:
                return books
            time.sleep(0.5)

    def _ledger(self, stack: Stack, services: Services) -> LedgerProof:
        return prove(stack.tool("compliance-gate"), services.ledger_export(), stack.keys_dir / JWKS, self._folder)

    def _facts(self, stack: Stack) -> RunFacts:
        dead = [t.dead_letter for t in TOPICS.values() if t.dead_letter]
        records = TopicReader(stack.bootstrap, stack.topic_prefix).read([*PATH_TOPICS, *dead])
        return gather(records, stack.carrier_log, stack.agents_log, stack.spans_log)

    def _count(
        self,
        facts: RunFacts,
        intake: Intake,
        window: tuple[float, float],
        happened: Happened,
        proof: LedgerProof,
        hooks: Mapping[str, Any],
    ) -> None:
        inputs = RunInputs(
            intake=intake,
            ledger={"records": proof.records, "verified": proof.verified},
            phase_seconds=self._phases,
            kills=tuple(happened.kills),
            origination=window,
            abandon_limit=float(self._inputs.campaign["pacing"]["abandon_limit"]),
            notes={
                **_notes(facts, happened, proof, opt_out_planned=self._plans("opt_out")),
                "webhooks": hooks,
            },
        )
        self.report = report_of(facts, inputs)
        self._facts_seen = facts

    def _plans(self, what: str) -> bool:
        """The scenario has such an event within the time of dialing."""
        return any(e.do == what and e.at_seconds < self._options.seconds for e in self._inputs.events)

    def _evidence(self, services: Services, facts: RunFacts) -> None:
        """One evidence page, of a connected attempt where there is one."""
        attempts = [a for a in facts.attempts.values() if a.redeemed and a.disposition]
        connected = [a for a in attempts if a.disposition and a.disposition.connected]
        if attempts:
            chosen = (connected or attempts)[0].attempt_id
            page = services.get("compliance-gate", f"/v1/evidence/{chosen}")
            (self._folder / "evidence.json").write_text(json.dumps(page, indent=2))
            self.report["shown_attempt"] = chosen

    def _finish_report(self) -> None:
        """After everything stopped, so that every phase's time is in it."""
        self.report["phase_seconds"] = {name: round(seconds, 1) for name, seconds in self._phases.items()}
        self.broken = broken_identities(self.report)
        self.report["broken"] = self.broken
        path = self._folder / "report.json"
        path.write_text(json.dumps(self.report, indent=2, default=str))
        self._write_page()
        if self._options.json_output:
            print(json.dumps(self.report, default=str))
        else:
            render_report(self.report, self._facts_seen, self._folder)

    def _write_page(self) -> None:
        """report.html of this run, and a copy among the runs that the console shows."""
        now, shown = datetime.now(UTC), self.report.get("shown_attempt")
        page = report_page(self.report, self._facts_seen.spans.get(trace_id(shown), []) if shown else [], now)
        (self._folder / "report.html").write_text(page, encoding="utf-8")
        keep(page, self._options.data_dir / REPORTS_FOLDER, now)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._phases[name] = self._phases.get(name, 0.0) + time.monotonic() - started


def _lawful(inputs: DemoInputs, options: DemoOptions) -> DemoInputs:
    """Raises BadInput where the campaign's message is not, before anything is started."""
    campaign = with_transcript(inputs.campaign, options.campaign)
    refuse_unlawful(campaign, options.campaign)
    return replace(inputs, campaign=campaign)


def with_port(route: Mapping[str, Any], port: int) -> dict[str, Any]:
    """The route with every trunk at the simulated carrier of this run."""
    return {**route, "trunks": [{**trunk, "host": "127.0.0.1", "port": port} for trunk in route["trunks"]]}


def with_webhook(campaign: Mapping[str, Any], crm_url: str) -> dict[str, Any]:
    """The campaign with its outcomes sent to the simulated CRM of this run."""
    return {**campaign, "webhook": {"url": f"{crm_url}/hook", "secret_env": WEBHOOK_SECRET_ENV}}


def _notes(facts: RunFacts, happened: Happened, proof: LedgerProof, *, opt_out_planned: bool) -> dict[str, Any]:
    gate = [kill for kill in happened.kills if kill.service == "compliance-gate"]
    grant_seconds = 0.35
    meanwhile = sum(
        1 for call in facts.carrier_calls for kill in gate if kill.at + grant_seconds < call.invited_at < kill.back_at
    )
    after = sum(1 for call in facts.carrier_calls for kill in gate if call.invited_at > kill.back_at)
    opted = facts.attempts.get(happened.opted_out or "")
    refused = opted is not None and not opted.carrier and any(c.outcome is CloseOutcome.REFUSED for c in opted.closed)
    return {
        "opt_out": {
            "planned": opt_out_planned,
            "attempt_id": happened.opted_out,
            "refused_at_last_look": refused,
        },
        "kills": [{"service": k.service, "at": k.at, "back_at": k.back_at} for k in happened.kills],
        "invites_while_gate_away": meanwhile,
        "invites_after_gate_back": after,
        "ledger_altered_byte": {"found": proof.altered_found, "said": proof.altered_named},
        "repeats": facts.doubled,
    }
