"""Results as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from bench.attempts import AttemptsResult
from bench.decisions import BURST, REDEEMS_PER_SECOND, DecisionsResult
from bench.figures import Percentiles, RunFigures
from bench.hop import Hop, HopResult
from bench.machine import Machine
from bench.windows import Contender
from outdial_cli.stack.layout import SERVICES

WIDTH = 110


def show(
    machine: Machine,
    hops: HopResult | None,
    runs: AttemptsResult | None,
    live: Mapping[str, Contender] | None = None,
    gate: DecisionsResult | None = None,
) -> None:
    """Prints what there is."""
    console = Console(width=WIDTH)
    memory = f"{machine.memory_gib} GiB"
    console.print(
        f"{machine.cores} cores, {machine.cpu_model}, {memory}, Linux {machine.kernel}, {machine.measured_on}"
    )
    if hops is not None:
        console.print(_hop_table(hops))
    if runs is not None:
        console.print(_runs_table(runs))
        console.print(_cpu_table(runs))
    if live is not None:
        console.print(_windows_table(live))
    if gate is not None:
        for table in _decisions_tables(gate):
            console.print(table)


def _hop_table(result: HopResult) -> Table:
    table = Table(title=f"One hop, {result.messages} messages")
    for column in ("what", "messages/s", "CPU-ms each", "of its raw ceiling"):
        table.add_column(column, justify="left" if column == "what" else "right")

    def service(name: str, hop: Hop, ceiling: float) -> None:
        table.add_row(name, f"{hop.rate:.0f}", f"{hop.cpu_ms_per_message:.3f}", f"{hop.rate / ceiling:.2f}")

    service("service, at_least_once", result.at_least_once, result.raw.batches)
    table.add_row("raw client, batches of 200", f"{result.raw.batches:.0f}", "", "1.00")
    service("service, exactly_once", result.exactly_once, result.raw.transactions)
    table.add_row("raw client, transactions of 200", f"{result.raw.transactions:.0f}", "", "1.00")
    table.add_row("raw client, no guarantee", f"{result.raw.stream:.0f}", "", "")
    table.add_row("decode + encode only, no Kafka", f"{result.codec:.0f}", f"{1000 / result.codec:.3f}", "")
    return table


def _decisions_tables(result: DecisionsResult) -> tuple[Table, Table]:
    rates = Table(title=f"Decisions, {result.offers} offers, {result.blocked} blocked")
    for column in ("what", "decisions/s", "per CPU-second of its process", "of the ceiling, by CPU"):
        rates.add_column(column, justify="left" if column == "what" else "right")
    top = result.ceiling.per_cpu_second
    contenders = {"gate": result.gate, "ceiling: same client, decode and encode only": result.ceiling}
    for name, rate in contenders.items():
        rates.add_row(name, f"{rate.per_second:.0f}", f"{rate.per_cpu_second:.0f}", f"{rate.per_cpu_second / top:.2f}")
    waits = Table(title=f"Redeem at {REDEEMS_PER_SECOND}/s; {result.redeem_cpu_ms:.2f} CPU-ms of the gate each")
    for column in ("beside", "granted", "not", "p50 ms", "p99 ms", "longest ms"):
        waits.add_column(column, justify="left" if column == "beside" else "right")
    beside = {
        "nothing else": result.redeem_alone,
        f"{BURST} offers a second": result.redeem_beside,
        "offers without a pause": result.redeem_flooded,
    }
    for name, seen in beside.items():
        times = (f"{ms:.1f}" for ms in (seen.p50_ms, seen.p99_ms, seen.longest_ms))
        waits.add_row(name, str(seen.granted), str(seen.others), *times)
    return rates, waits


def _runs(result: AttemptsResult) -> tuple[RunFigures, RunFigures, RunFigures]:
    return result.at_first_rate, result.at_half, result.at_maximum


def _runs_table(result: AttemptsResult) -> Table:
    table = _columns("The whole pipeline")
    runs = _runs(result)
    rows = {
        "attempts/s": [f"{r.attempts_per_second:.1f}" for r in runs],
        "attempts in the window": [str(r.attempts) for r in runs],
        "cleared, not redeemed": [str(r.not_redeemed) for r in runs],
        "dials refused before Redeem": [str(r.dials_refused) for r in runs],
        "lead.ready → cleared, p50 / p99 ms": [_pair(r.lead_ready_to_cleared_ms) for r in runs],
        "decision → INVITE, p50 / p99 ms": [_pair(r.decision_to_invite_ms) for r in runs],
        "both together, p50 / p99 ms": [_pair(r.both_together_ms) for r in runs],
        "cores busy, of them outside the stack": [f"{r.busy_cores:.2f}, {r.others_busy_cores:.2f}" for r in runs],
        "what bound the pacer (share of looks)": [_bindings(r) for r in runs],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def _cpu_table(result: AttemptsResult) -> Table:
    table = _columns("CPU-ms per attempt")
    table.add_column("idle, CPU-ms/s", justify="right")
    runs = _runs(result)
    for name in (*SERVICES, "kafka", "postgres", "collector", "carrier", "agents"):
        idle = result.idle_ms_per_second.get(name)
        table.add_row(
            name, *(f"{r.cpu_ms_per_attempt.get(name, 0.0):.2f}" for r in runs), "" if idle is None else f"{idle:.0f}"
        )
    idle_services = sum(ms for name, ms in result.idle_ms_per_second.items() if name in SERVICES)
    table.add_row("all services", *(f"{r.services_cpu_ms:.2f}" for r in runs), f"{idle_services:.0f}")
    table.add_row("everything", *(f"{sum(r.cpu_ms_per_attempt.values()):.2f}" for r in runs), "")
    return table


def _columns(title: str) -> Table:
    table = Table(title=title)
    table.add_column("")
    for column in ("at 20/s", "at half the maximum", "at the maximum"):
        table.add_column(column, justify="right")
    return table


def _pair(found: Percentiles) -> str:
    return "too few" if found is None else f"{found['p50']:.0f} / {found['p99']:.0f}"


def _bindings(run: RunFigures) -> str:
    looks = sum(run.bindings.values())
    return ", ".join(f"{name} {times / looks:.0%}" for name, times in list(run.bindings.items())[:3])


def _windows_table(live: Mapping[str, Contender]) -> Table:
    table = Table(title="Live windows")
    table.add_column("what")
    for name in live:
        table.add_column(name, justify="right")
    columns = [asdict(figures) for figures in live.values()]
    for what in columns[0]:
        table.add_row(what, *(str(column[what]) for column in columns))
    return table
