"""`outdial … | head`: a reader that has seen enough is no error."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import typer
from outdial_cli.commands.context import careful

@careful
def talk() -> None:
    for n in range(200_000):
        print(n)

typer.run(talk)
"""


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as talker:
        assert talker.stdout is not None
        assert talker.stderr is not None
        assert talker.stdout.readline() == "0\n"
        talker.stdout.close()
        complaint = talker.stderr.read()
    assert (talker.returncode, complaint) == (0, "")
