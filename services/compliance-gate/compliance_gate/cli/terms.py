"""What the tools share: what they need from adapters, how an answer is said, what bad usage is."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from compliance_gate.domain.restore import RestoreLock
from compliance_gate.domain.rules import RulePack

if TYPE_CHECKING:
    Areas = argparse._SubParsersAction[argparse.ArgumentParser]

RAW = argparse.RawDescriptionHelpFormatter


class UsageError(Exception):
    """What was asked for can't be tried; the text names the argument and what to do."""


class ListTools(Protocol):
    """Snapshots of external lists."""

    def load(
        self,
        folder: Path,
        list_id: str,
        sources: Sequence[tuple[Path, str, str]],
        as_of: datetime,
        delta: bool,
        progress: Callable[[str, int, int], None] | None,
    ) -> dict[str, Any]:
        """Loads (file, area, country code) and returns the manifest. Raises ValueError or OSError."""

    def show(self, folder: Path) -> dict[str, dict[str, Any]]:
        """List id -> manifest."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the commands need from adapters; app.py brings them."""

    load_pack: Callable[[Sequence[Path]], RulePack]
    """Files (none: the shipped ones) -> pack; raises ValueError naming file, row and field."""
    lists: ListTools
    export_questions: Callable[[RulePack, Path, Callable[[int], None]], int]
    """Writes the questions to the Reassigned Numbers Database into a file; returns how many. Raises ValueError with a
    sentence for the operator, or OSError."""
    import_answers: Callable[[Path, datetime, datetime, Callable[[int], None]], dict[str, int]]
    """(file, answered_at, now, progress) -> answers by kind. Raises the same; then nothing was imported."""
    say_restored: Callable[[bool], RestoreLock]
    """Locks the gate as an operator's word, or accepts the loss. Raises ValueError with a sentence for the operator."""


def pack_of(options: argparse.Namespace, files: Sequence[Path]) -> RulePack:
    """Loads rule packs. Raises UsageError naming file, row and field."""
    tools: Tools = options.tools
    try:
        return tools.load_pack(files)
    except ValueError as error:
        raise UsageError(f"rule pack: {error}") from None


def say(options: argparse.Namespace, facts: Mapping[str, Any], sentence: str) -> None:
    """A sentence for a person or, with --json, an object for a machine."""
    print(json.dumps(facts) if options.json else sentence)
