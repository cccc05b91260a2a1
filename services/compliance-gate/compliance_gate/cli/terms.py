"""What the tools share: what they need from adapters, how an answer is said, what bad usage is."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compliance_gate.domain.restore import RestoreLock

if TYPE_CHECKING:
    Areas = argparse._SubParsersAction[argparse.ArgumentParser]

RAW = argparse.RawDescriptionHelpFormatter


class UsageError(Exception):
    """What was asked for can't be tried; the text names the argument and what to do."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the commands need from adapters; app.py brings them."""

    say_restored: Callable[[bool], RestoreLock]
    """Locks the gate as an operator's word, or accepts the loss. Raises ValueError with a sentence for the operator."""


def say(options: argparse.Namespace, facts: Mapping[str, Any], sentence: str) -> None:
    """A sentence for a person or, with --json, an object for a machine."""
    print(json.dumps(facts) if options.json else sentence)
