"""What the tools share: how a pack is loaded, how an answer is said, what bad usage is."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compliance_gate.domain.rules import RulePack

if TYPE_CHECKING:
    Areas = argparse._SubParsersAction[argparse.ArgumentParser]

LoadPack = Callable[[Sequence[Path]], RulePack]
"""Files (none: the shipped ones) -> pack; raises ValueError naming file, row and field."""
RAW = argparse.RawDescriptionHelpFormatter


class UsageError(Exception):
    """What was asked for can't be tried; the text names the argument and what to do."""


def pack_of(options: argparse.Namespace, files: Sequence[Path]) -> RulePack:
    """Loads rule packs. Raises UsageError naming file, row and field."""
    load: LoadPack = options.load_pack
    try:
        return load(files)
    except ValueError as error:
        raise UsageError(f"rule pack: {error}") from None


def say(options: argparse.Namespace, facts: Mapping[str, Any], sentence: str) -> None:
    """A sentence for a person or, with --json, an object for a machine."""
    print(json.dumps(facts) if options.json else sentence)
