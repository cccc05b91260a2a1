"""Starting and stopping whole worlds: demo, up, down."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import typer

from outdial_cli.commands.context import UP_FOLDER, AsJson, DataDir, careful, running
from outdial_cli.demo.inputs import DemoOptions
from outdial_cli.demo.run import REPORTS_FOLDER, Demo
from outdial_cli.embedded.leftovers import DataDirInUse, DirectoryLock
from outdial_cli.stack.environment import RunClock
from outdial_cli.stack.layout import STACK_FILE, NoStack, save
from outdial_cli.stack.materials import LISTS
from outdial_cli.stack.processes import ended, send
from outdial_cli.stack.stack import PROMPTS, Stack, StackOptions

EXAMPLES = Path("examples")
DOWN_SECONDS = 60.0


@careful
def demo(
    leads: Path = typer.Option(EXAMPLES / "leads.csv", help="leads.csv"),
    campaign: Path = typer.Option(EXAMPLES / "campaign.yaml", help="campaign.yaml"),
    scenario: Path = typer.Option(EXAMPLES / "scenario.yaml", help="scenario.yaml: callees, agents, events."),
    suppression: Path = typer.Option(EXAMPLES / "suppression.csv", help="suppression.csv"),
    route: Path = typer.Option(EXAMPLES / "route.yaml", help="route.yaml; its trunks become the simulated carrier."),
    seconds: int = typer.Option(90, min=5, max=3600, help="How long to originate calls."),
    data_dir: Path = DataDir,
    as_json: bool = AsJson,
) -> None:
    """A real campaign end to end on this machine, then a report that says whether the books balance.

    Exit code 1 when an identity or invariant does not hold.

    Example: outdial demo --seconds 60 --json
    """
    options = DemoOptions(
        leads=leads,
        campaign=campaign,
        scenario=scenario,
        suppression=suppression,
        route=route,
        seconds=seconds,
        data_dir=data_dir,
        cache_dir=data_dir / "cache",
        json_output=as_json,
    )
    raise typer.Exit(Demo(options).run())


@careful
def up(
    clock_start: str | None = typer.Option(
        None, help="Shift the clock, e.g. 2026-11-17T15:00:00Z; loopback trunks only."
    ),
    world: Path | None = typer.Option(None, "--world", help="Also run the simulated carrier and agents of a scenario."),
    campaign_id: str = typer.Option("spring-renewal", "--campaign", help="Campaign its agents take."),
    team_id: str = typer.Option("blue", "--team", help="Their team."),
    carrier_port: int = typer.Option(5080, help="Where the simulated carrier listens, as in examples/route.yaml."),
    prompts: Path = typer.Option(PROMPTS, help="Folder of the safe-harbour messages."),
    lists: Path = typer.Option(LISTS, help="Folder of suppression-list files, each named by its list's id."),
    data_dir: Path = DataDir,
) -> None:
    """Leave the stack running for a CRM, until Ctrl-C or `outdial down`.

    Example: outdial up --clock-start 2026-11-17T15:00:00Z --world examples/scenario.yaml
    """
    folder = data_dir / UP_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    clock = RunClock(start=clock_start, origin_seconds=time.monotonic())
    options = StackOptions(
        data_dir=folder,
        cache_dir=data_dir / "cache",
        clock=clock,
        prompts_dir=prompts,
        lists_dir=lists,
        reports_dir=data_dir / REPORTS_FOLDER,
        carrier_sip_port=carrier_port,
        fresh=False,
    )
    stack = Stack(options, print)
    try:
        stack.start()
        if world is not None:
            stack.start_world(world, campaign_id, team_id)
        _serve(folder, stack)
    finally:
        stack.stop()


@careful
def down(data_dir: Path = DataDir) -> None:
    """Stop what `outdial up` started; live calls finish first.

    Example: outdial down
    """
    folder, state = data_dir / UP_FOLDER, running(data_dir)
    if not _is_owned(folder):
        # Its pid may be a stranger's by now.
        (folder / STACK_FILE).unlink(missing_ok=True)
        raise NoStack(f"the stack under {folder} had ended without a word; nothing is left to stop")
    send(state.pid, signal.SIGTERM)
    if not ended(state.pid, DOWN_SECONDS):
        raise ValueError(f"process {state.pid} still runs after {DOWN_SECONDS:.0f} s")
    print("down")


def _serve(folder: Path, stack: Stack) -> None:
    """Says where everything listens, then waits for the end; stack.json is there just as long."""
    save(folder, stack.state())
    try:
        for name in sorted(stack.addresses.http_ports):
            print(f"  {name:<16} {stack.addresses.url(name)}")
        print(f"pages: {stack.addresses.url('console')}/")
        print("up; Ctrl-C or `outdial down` ends it", flush=True)
        stack.watch()
    finally:
        (folder / STACK_FILE).unlink(missing_ok=True)


def _is_owned(folder: Path) -> bool:
    """Whether a live run holds the folder's lock."""
    lock = DirectoryLock(folder)
    try:
        lock.acquire()
    except DataDirInUse:
        return True
    lock.release()
    return False
