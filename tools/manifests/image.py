"""Rules of the one Dockerfile, checked by reading it: there is no engine where the check runs."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.manifests.findings import Finding

FILE, IGNORE = "Dockerfile", ".dockerignore"
BASE = "PYTHON_IMAGE"
USER = "10001:10001"
"""As base/patches/restricted.yaml runs it."""
HOST = re.compile(r"https?://|\b[\w-]+(\.[\w-]+)+(:\d+)?/|--(extra-)?index-url|--trusted-host")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY\b", re.IGNORECASE)
KNOWN = {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "LABEL"}


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction, continuation lines joined."""

    line: int
    word: str
    rest: str
    stage: int
    """0 before the first FROM."""


def findings(root: Path) -> Iterator[Finding]:
    """Every broken rule of Dockerfile and .dockerignore, by line."""
    instructions = read((root / FILE).read_text())
    for line, rule in _rules(instructions, root):
        yield Finding(file=FILE, resource="", field=f"line {line}", rule=rule)
    patterns = _patterns(root)
    if patterns[:1] != ["*"]:
        yield Finding(file=IGNORE, resource="", field="line 1", rule="must begin with * and then allow what is copied")


def read(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile."""
    found, stage, held, start = [], 0, "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and not held):
            continue
        held, start = f"{held}{line}", start or number
        if held.endswith("\\"):
            held = held[:-1]
            continue
        word, _, rest = held.strip().partition(" ")
        stage += word.upper() == "FROM"
        found.append(Instruction(line=start, word=word.upper(), rest=rest.strip(), stage=stage))
        held, start = "", 0
    return found


def _rules(instructions: list[Instruction], root: Path) -> Iterator[tuple[int, str]]:
    last_stage = max((i.stage for i in instructions), default=0)
    if last_stage < 2:
        yield 1, "wants two stages: compilers and caches stay in the first"
    yield from _base(instructions)
    for instruction in instructions:
        yield from ((instruction.line, rule) for rule in _instruction_rules(instruction, root))
    yield from _last_stage([i for i in instructions if i.stage == last_stage])


def _base(instructions: list[Instruction]) -> Iterator[tuple[int, str]]:
    named = [i for i in instructions if i.stage == 0 and i.word == "ARG" and i.rest.startswith(f"{BASE}=")]
    name = named[0].rest.partition("=")[2] if named else ""
    if not re.fullmatch(r"[\w./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?", name) or name.endswith(":latest"):
        yield (named[0].line if named else 1), f"ARG {BASE} must name the base image with a tag other than latest"
    for instruction in instructions:
        if instruction.word == "FROM" and instruction.rest.split()[0] != f"${{{BASE}}}":
            yield instruction.line, f"FROM must be ${{{BASE}}}: only that argument names an image"


def _instruction_rules(instruction: Instruction, root: Path) -> Iterator[str]:
    if instruction.word not in KNOWN:
        yield f"{instruction.word} is not used here: {', '.join(sorted(KNOWN))} are"
    if HOST.search(instruction.rest) and not instruction.rest.startswith(f"{BASE}="):
        yield "names a host; packages come from the builder's own index"
    if instruction.word in ("ARG", "ENV") and SECRET.search(instruction.rest):
        yield "keeps a secret in the image"
    if instruction.word == "RUN":
        yield from _run_rules(instruction.rest)
    if instruction.word == "COPY" and not instruction.rest.startswith("--from="):
        yield from _copy_rules(instruction.rest, root)


def _run_rules(command: str) -> Iterator[str]:
    for part in re.split(r"&&|;", command):
        if (
            " pip install" in part
            and "--require-hashes" not in part
            and not {"--no-deps", "--no-index"} <= set(part.split())
        ):
            yield "pip install wants --require-hashes, or --no-deps --no-index for wheels of our own"
        if re.search(r"\b(curl|wget|apt-get|sudo)\b", part):
            yield f"{part.split()[0]} brings in what nobody pinned"


def _copy_rules(rest: str, root: Path) -> Iterator[str]:
    *sources, _ = rest.split()
    patterns = _patterns(root)
    for source in sources:
        if source in (".", "./", "*"):
            yield "COPY names what it copies, not everything"
        elif not (root / source).exists():
            yield f"COPY {source}: no such file"
        elif not _is_sent(source.rstrip("/"), patterns):
            yield f"COPY {source}: {IGNORE} keeps it out of the build"


def _last_stage(instructions: list[Instruction]) -> Iterator[tuple[int, str]]:
    line = instructions[0].line if instructions else 1
    users = [i for i in instructions if i.word == "USER"]
    if not users or users[-1].rest != USER:
        yield (users[-1].line if users else line), f"USER must be {USER} in the last stage: a number, not root"
    entries = [i for i in instructions if i.word == "ENTRYPOINT"]
    if not entries or not _is_exec_form(entries[-1].rest):
        yield (entries[-1].line if entries else line), "ENTRYPOINT must be a JSON list: a shell would keep SIGTERM"
    if any(i.word == "RUN" for i in instructions):
        yield line, "nothing is run in the last stage"


def _is_exec_form(text: str) -> bool:
    try:
        words = json.loads(text)
    except ValueError:
        return False
    return isinstance(words, list) and all(isinstance(word, str) for word in words)


def _patterns(root: Path) -> list[str]:
    lines = (root / IGNORE).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _is_sent(path: str, patterns: list[str]) -> bool:
    """Docker's rule, for plain paths: the last pattern that matches the path or a folder above it decides."""
    above = [path, *(str(p) for p in Path(path).parents if str(p) != ".")]
    sent = True
    for pattern in patterns:
        wanted = pattern.removeprefix("!").removeprefix("**/")
        if any(fnmatch.fnmatch(part, wanted) for part in above):
            sent = pattern.startswith("!")
    return sent
