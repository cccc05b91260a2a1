"""`python -m tools.manifests.locked NAME`: the part of requirements.lock that a service (or a package in it) needs.

The lock says of every package who asked for it (`# via`); a service's pyproject.toml and those of our libraries say
where to begin. Only the standard library: it runs while an image is built, before anything is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(\[[^\]]*\])?==")
OURS = "outdial-"


class LockError(Exception):
    """A name that is neither a service nor in the lock; the text names it."""


@dataclass(frozen=True, kw_only=True)
class Lock:
    """requirements.lock, read."""

    entries: dict[str, str]
    """Normalised name -> its lines, hashes included."""
    asked_by: dict[str, frozenset[str]]
    """Normalised name -> who needs it."""

    def closure(self, names: set[str]) -> list[str]:
        """`names` and all they need, sorted.

        Raises:
            LockError: one of them is not pinned.
        """
        for name in sorted(names - set(self.entries)):
            raise LockError(f"{name} is not in requirements.lock")
        found, grown = set(names), True
        while grown:
            more = {name for name, askers in self.asked_by.items() if askers & found} - found
            found, grown = found | more, bool(more)
        return sorted(found)


def read_lock(text: str) -> Lock:
    """Reads what `uv pip compile --generate-hashes` wrote."""
    entries: dict[str, str] = {}
    asked_by: dict[str, set[str]] = {}
    name = ""
    for line in text.splitlines():
        if match := PINNED.match(line):
            name = normalised(match[1])
            entries[name], asked_by[name] = line, set()
        elif line.lstrip().startswith("#"):
            asker = line.strip().lstrip("#").strip().removeprefix("via").strip()
            if asker and name and not asker.startswith("-r"):
                asked_by[name].add(normalised(asker))
        elif name:
            entries[name] += f"\n{line}"
    return Lock(entries=entries, asked_by={n: frozenset(a) for n, a in asked_by.items()})


def normalised(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name.split("[")[0]).lower()


def needs(name: str, root: Path = ROOT) -> set[str]:
    """Third-party packages that a service and our libraries below it name; of another package, itself."""
    project = root / "services" / name / "pyproject.toml"
    if not project.exists():
        return {normalised(name)}
    found: set[str] = set()
    projects, seen = [project], {project}
    while projects:
        for requirement in tomllib.loads(projects.pop().read_text())["project"]["dependencies"]:
            dependency = normalised(re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0])
            if not dependency.startswith(OURS):
                found.add(dependency)
                continue
            library = root / "libs" / dependency.removeprefix(OURS) / "pyproject.toml"
            if library not in seen:
                seen.add(library)
                projects.append(library)
    return found


def main(arguments: list[str]) -> int:
    """Prints the part of the lock; 1 when it can't be told, 2 for a wrong call."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    lock = read_lock((ROOT / "requirements.lock").read_text())
    try:
        print("\n".join(lock.entries[name].rstrip("\\ \n") for name in lock.closure(needs(arguments[0]))))
    except LockError as error:
        print(f"locked: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
