"""`outdial`: the one command people type."""

from __future__ import annotations

import typer

from outdial_cli.commands import ask, dead, give, ledger, preflight, suspension, world

app = typer.Typer(
    help="outdial: an outbound-dialing platform. Start with `outdial demo`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    world.demo,
    world.up,
    world.down,
    ask.why,
    ask.health,
    ask.trace,
    ask.evidence,
    preflight.preflight,
    give.stop,
):
    app.command()(command)
for name, group in (
    ("campaign", give.campaign),
    ("leads", give.leads),
    ("dnc", give.dnc),
    ("routes", give.routes),
    ("dead", dead.app),
    ("ledger", ledger.app),
    ("suspension", suspension.app),
):
    app.add_typer(group, name=name)


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
