"""Disks that run full: a small tmpfs of its own where mounting is allowed, else a limit on the size of files."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterable
from pathlib import Path

SIZE_MB = 512
FILLER = "filler"
LIMIT_BYTES = 65536
"""Without a mount: no file of these processes grows past it. Their successors are free of it."""


class SmallDisk:
    """The folder of one node's data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mounted = False
        self._limited: list[int] = []

    @property
    def kind(self) -> str:
        """How it gets full, for reports."""
        return "tmpfs" if self._mounted else "RLIMIT_FSIZE"

    def mount(self) -> None:
        """Before its node starts; where mounting is not allowed the folder stays as it is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=755", "tmpfs", str(self._folder)]
        try:
            self._mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            self._mounted = False

    def unmount(self) -> None:
        """After its node stopped; harmless when nothing is mounted."""
        if self._mounted:
            subprocess.run(["umount", "-l", str(self._folder)], capture_output=True, check=True)
            self._mounted = False

    def fill(self, pids: Iterable[int]) -> None:
        """Not a byte is left, for `pids` at least."""
        if self._mounted:
            self._write_filler()
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, hard))
                self._limited.append(pid)

    def free(self) -> None:
        """Space comes back."""
        (self._folder / FILLER).unlink(missing_ok=True)
        for pid in self._limited:
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        self._limited.clear()

    def _write_filler(self) -> None:
        space = os.statvfs(self._folder)
        # OSError is the aim: whoever else writes there takes part in filling it.
        with (self._folder / FILLER).open("ab", buffering=0) as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, int(space.f_bavail * 0.95)) * space.f_frsize)
            while True:
                file.write(b"\0" * 4096)
