"""What a person sees while it dials: one table that is drawn again, or a line now and then when no terminal looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outdial_cli.demo.watch import Picture
from outdial_contracts.events import CloseOutcome

LINE_EVERY_SECONDS = 10.0


class LiveView:
    """Shows progress on stderr, so that --json keeps stdout for itself."""

    def __init__(self, total_seconds: int) -> None:
        self._console = Console(file=sys.stderr)
        self._total = total_seconds
        self._live = (
            Live(console=self._console, refresh_per_second=4, transient=True) if self._console.is_terminal else None
        )
        self._notes: list[str] = []
        self._last_line = 0.0

    def __enter__(self) -> LiveView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A thing that happened."""
        self._notes = [*self._notes, text][-4:]
        self._console.print(f"  [bold]·[/bold] {text}", highlight=False)

    def show(self, elapsed_seconds: float, picture: Picture, team: Mapping[str, Any]) -> None:
        """Draws the state now."""
        if self._live is not None:
            self._live.update(Group(_head(elapsed_seconds, self._total), _table(picture, team)))
        elif time.monotonic() - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(_line(elapsed_seconds, picture, team), highlight=False)


def _head(elapsed_seconds: float, total: int) -> Text:
    done = min(1.0, elapsed_seconds / total) if total else 1.0
    bar = "█" * int(done * 40)
    return Text(f"dialing {elapsed_seconds:5.0f} s of {total} s  {bar:<40}")


def _table(picture: Picture, team: Mapping[str, Any]) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for title in ("offers", "blocked", "attempts", "refused", "live calls", "queued", "drop rate", "budget left"):
        table.add_column(title, justify="right")
    outcomes = list(picture.closed.values())
    rate = team.get("drop_rate")
    table.add_row(
        str(len(picture.offered)),
        str(len(picture.blocked)),
        str(outcomes.count(CloseOutcome.REDEEMED)),
        str(outcomes.count(CloseOutcome.REFUSED)),
        str(team.get("live_calls", "-")),
        str(len(picture.queued())),
        "-" if rate is None else f"{rate:.1%}",
        str(team.get("budget_left_calls", "-")),
    )
    for code, count in picture.codes.most_common(6):
        table.add_row(f"[dim]{code.lower()} {count}[/dim]")
    return table


def _line(elapsed_seconds: float, picture: Picture, team: Mapping[str, Any]) -> str:
    redeemed = sum(1 for outcome in picture.closed.values() if outcome is CloseOutcome.REDEEMED)
    return (
        f"  {elapsed_seconds:4.0f} s: {len(picture.offered)} offers, {len(picture.blocked)} blocked, "
        f"{redeemed} attempts, "
        f"{team.get('live_calls', '-')} live calls, {len(picture.disposed)} dispositions"
    )
