"""What the gate of a stack needs before it starts: a signing key, and copies of the external suppression lists."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from outdial_cli.stack.environment import JWKS

LISTS = Path("examples") / "lists"
COPY_AGE = timedelta(days=1)
"""As if the lists had been fetched yesterday, by the stack's own clock."""


def make_keys(gate: Path, folder: Path, *, fresh: bool) -> None:
    """A signing key in `folder`, unless one is there already.

    Args:
        gate: the gate's console script.

    Raises:
        ValueError: the tool failed; with what it said.
    """
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if not (folder / JWKS).exists():
        _run([str(gate), "keys", "new", "--out", str(folder)], "no signing key")


def load_lists(gate: Path, files: Path, folder: Path, clock_start: str | None) -> None:
    """Snapshots in `folder` of every list file in `files` (its name is the list's id); none where there is no folder.

    Raises:
        ValueError: the tool failed; with what it said.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if not files.is_dir():
        return
    now = datetime.fromisoformat(clock_start) if clock_start is not None else datetime.now(UTC)
    as_of = f"{(now - COPY_AGE).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    _run([str(gate), "lists", "load-all", str(files), "--dir", str(folder), "--as-of", as_of], "no suppression lists")


def _run(command: Sequence[str], without: str) -> None:
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if made.returncode != 0:
        raise ValueError(f"{without}: {made.stderr.strip()}")
