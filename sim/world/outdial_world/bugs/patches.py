"""The patches: a few lines about each, then a unified diff against the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outdial_world.invariants import Name

REPOSITORY = Path(__file__).parents[4]
FOLDER = REPOSITORY / "sim" / "world" / "bugs"
MEMBERS = ("libs/*", "services/*", "sim", "sim/world")
LEFT_OUT = shutil.ignore_patterns("tests", "__pycache__", "bugs", "audio", "scenarios", "world", "*.egg-info", ".*")


class BadPatch(ValueError):
    """A patch file lacks its head, or does not apply; the text names the file and the rule."""


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One deliberate bug."""

    file: Path
    sentence: str
    """What is wrong with it."""
    caught_by: frozenset[Name]
    """Invariants that mean it."""

    @property
    def number(self) -> str:
        """`03` of 03-retry-budget-per-cause.patch."""
        return self.file.name.partition("-")[0]

    @property
    def title(self) -> str:
        """The file's name without number and suffix."""
        return self.file.stem.partition("-")[2]


def read(file: Path) -> Bug:
    """A patch by its head: `Bug: …` and `Caught-by: name, name`.

    Raises:
        BadPatch: one of both is missing, or a name is no invariant's.
    """
    head = dict(line.split(": ", 1) for line in _head(file) if ": " in line)
    try:
        names = frozenset(Name(name.strip()) for name in head["Caught-by"].split(","))
        return Bug(file=file, sentence=head["Bug"], caught_by=names)
    except (KeyError, ValueError) as error:
        raise BadPatch(f"{file.name}: want lines Bug: … and Caught-by: invariants ({error})") from None


def all_bugs(folder: Path = FOLDER) -> list[Bug]:
    """In order of their numbers."""
    return [read(file) for file in sorted(folder.glob("*.patch"))]


def copy_sources(into: Path) -> None:
    """The packages of every workspace member that the world runs, at their places, without tests."""
    for pattern in MEMBERS:
        for member in sorted(REPOSITORY.glob(pattern)):
            for package in sorted(member.iterdir()):
                if (package / "__init__.py").is_file():
                    place = into / package.relative_to(REPOSITORY)
                    shutil.copytree(package, place, ignore=LEFT_OUT, dirs_exist_ok=True)


def apply(bug: Bug, tree: Path) -> None:
    """Applies the patch to a tree that is a repository of nobody. Raises BadPatch."""
    environment = {**_inherited(), "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    done = subprocess.run(
        ["git", "apply", str(bug.file)], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BadPatch(f"{bug.file.name}: {done.stderr.strip()}")


def import_path(tree: Path) -> str:
    """PYTHONPATH by which the tree's packages win over installed ones."""
    members = [member for pattern in MEMBERS for member in sorted(tree.glob(pattern)) if member.is_dir()]
    return os.pathsep.join(str(member) for member in members)


def environment_of(tree: Path) -> Mapping[str, str]:
    """What a process needs to run from the tree."""
    return {**_inherited(), "PYTHONPATH": import_path(tree), "PYTHONDONTWRITEBYTECODE": "1"}


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _head(file: Path) -> list[str]:
    return file.read_text("utf-8").partition("diff --git")[0].splitlines()
