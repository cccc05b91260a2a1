"""Runs the `outdial` console script as a person would."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaign_run import ROOT

from outdial_cli.stack.layout import save
from outdial_cli.stack.stack import Stack

OUTDIAL = Path(sys.executable).with_name("outdial")


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> Any:
        """Its JSON."""
        return json.loads(self.out)

    @property
    def problem(self) -> str:
        """Its one line on stderr. Fails unless it is exactly one, with exit code 2 and nothing on stdout."""
        assert (self.code, self.out) == (2, ""), self
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("outdial: "), self.err
        return lines[0]


class Outdial:
    """The command against one running stack; its data dir holds nothing but a stack.json."""

    def __init__(self, data_dir: Path, stack: Stack | None = None) -> None:
        self.data_dir = data_dir
        if stack is not None:
            (data_dir / "up").mkdir(parents=True)
            save(data_dir / "up", stack.state())

    def __call__(self, *words: str | Path, seconds: float = 60.0) -> Said:
        """Runs it to its end."""
        command = [str(OUTDIAL), *map(str, words)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, cwd=ROOT)
        return Said(code=ran.returncode, out=ran.stdout, err=ran.stderr)

    def at(self, *words: str | Path) -> Said:
        """Runs it against the stack."""
        return self(*words, "--data-dir", self.data_dir)
