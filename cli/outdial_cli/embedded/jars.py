"""Kafka's jars: fetched by their coordinates, checked against jars.lock, kept in the cache folder.

`python -m outdial_cli.embedded.jars --lock` resolves ROOTS anew and rewrites jars.lock.
A fetch reads jars.lock only: no POM is resolved, jars are downloaded side by side, and each is checked before it gets
its name in the cache, so an interrupted download leaves nothing that looks like a jar.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

KAFKA_VERSION = "4.3.1"
ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")
"""Resolved one by one: together, log4j's dependency management takes kafka-clients back to 3.9.1."""
LOCK_FILE = Path(__file__).with_name("jars.lock")
DOWNLOADS_AT_ONCE = 6
HTTP_TIMEOUT_SECONDS = 60

Progress = Callable[[int, int], None]
"""(jars done, jars in all); called from several threads, one call at a time."""


class JarError(Exception):
    """A jar is not what jars.lock says, or cannot be had; names the jar."""


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One line of jars.lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """In the cache folder; unique within the lock, since parse_lock refuses two of a name."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def line(self) -> str:
        """As jars.lock has it."""
        return f"{self.group}:{self.artifact}:{self.version} sha256:{self.sha256}"


def fetch(jars_dir: Path, progress: Progress | None = None, lock_file: Path = LOCK_FILE) -> list[Path]:
    """Every jar of the lock, downloaded where missing and verified always; in the lock's order. Raises JarError."""
    jars = parse_lock(lock_file.read_text())
    jars_dir.mkdir(parents=True, exist_ok=True)
    paths = [jars_dir / jar.filename for jar in jars]
    missing = [jar for jar, path in zip(jars, paths, strict=True) if not path.exists()]
    for jar, path in zip(jars, paths, strict=True):
        if jar not in missing:
            verify(path, jar.sha256)
    if missing:
        _download(missing, jars_dir, _Counter(done=len(jars) - len(missing), total=len(jars), progress=progress))
    elif progress is not None:
        progress(len(jars), len(jars))
    return paths


def parse_lock(text: str) -> list[Jar]:
    """Raises JarError for a malformed line, two jars of one name, or another kafka-clients than KAFKA_VERSION."""
    jars = [_parse_line(line) for line in text.splitlines() if line and not line.startswith("#")]
    names = [jar.filename for jar in jars]
    for name in names:
        if names.count(name) > 1:
            raise JarError(f"jars.lock names {name} twice")
    clients = [jar.version for jar in jars if jar.artifact == "kafka-clients"]
    if clients != [KAFKA_VERSION]:
        raise JarError(f"jars.lock must hold kafka-clients {KAFKA_VERSION} once, it holds {clients or 'none'}")
    return jars


def verify(path: Path, sha256: str) -> None:
    """Raises JarError, naming the jar, when its bytes are others than the lock's."""
    found = _digest(path)
    if found != sha256:
        raise JarError(
            f"{path.name} does not match jars.lock: expected sha256 {sha256}, found {found}. "
            f"Delete {path} and try again; if it happens again the registry serves other bytes than those locked."
        )


def _download(missing: list[Jar], jars_dir: Path, counter: _Counter) -> None:
    with (
        tempfile.TemporaryDirectory(dir=jars_dir, prefix="download-") as scratch,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        context = _context(Path(scratch))
        list(pool.map(lambda jar: _download_one(jar, jars_dir, context, counter), missing))


def _download_one(jar: Jar, jars_dir: Path, context: MavenContext, counter: _Counter) -> None:
    try:
        path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except (RuntimeError, OSError) as error:  # requests' errors are OSErrors
        raise JarError(f"{jar.filename} cannot be downloaded: {error}") from error
    verify(path, jar.sha256)
    path.replace(jars_dir / jar.filename)
    counter.one_more()


class _Counter:
    def __init__(self, *, done: int, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = done, total, progress
        self._lock = threading.Lock()

    def one_more(self) -> None:
        with self._lock:
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total)


def resolve(scratch: Path) -> list[Jar]:
    """Resolves ROOTS from the registry, root by root; the first version of an artifact wins. Raises JarError."""
    context = _context(scratch)
    found: dict[tuple[str, str], Artifact] = {}
    for root in ROOTS:
        direct, transitive = context.resolver.resolve([context.create_dependency(root)])
        for one in [*direct, *transitive]:
            if one.classifier or one.type != "jar":
                raise JarError(f"{one} has a classifier or is no jar; jars.lock has no place for it")
            found.setdefault((one.groupId, one.artifactId), one.artifact)
    return [_locked(artifact) for _, artifact in sorted(found.items())]


def write_lock(jars: Iterable[Jar], lock_file: Path = LOCK_FILE) -> None:
    """Replaces the lock. Raises JarError when what it would hold could not be used."""
    header = "# Written by `python -m outdial_cli.embedded.jars --lock`; group:artifact:version sha256:digest\n"
    text = header + "".join(f"{jar.line}\n" for jar in jars)
    parse_lock(text)
    lock_file.write_text(text)


def main() -> None:
    """`--lock` rewrites the lock, otherwise fetches into the folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", action="store_true", help="resolve anew and rewrite jars.lock")
    parser.add_argument("--into", type=Path, default=Path(".outdial/cache/jars"), help="folder to fetch into")
    options = parser.parse_args()
    if options.lock:
        with tempfile.TemporaryDirectory() as scratch:
            write_lock(resolve(Path(scratch)))
    else:
        fetch(options.into, lambda done, total: print(f"{done}/{total}", flush=True))


def _locked(artifact: Artifact) -> Jar:
    digest = _digest(artifact.resolve())
    return Jar(group=artifact.groupId, artifact=artifact.artifactId, version=artifact.version, sha256=digest)


def _context(repository: Path) -> MavenContext:
    # Half a second of imports, needed only when something has to be downloaded.
    from jgo.maven import MavenContext, PythonResolver

    return MavenContext(repo_cache=repository, local_repos=[], resolver=PythonResolver(), timeout=HTTP_TIMEOUT_SECONDS)


def _parse_line(line: str) -> Jar:
    coordinates, _, digest = line.partition(" sha256:")
    parts = coordinates.split(":")
    if len(parts) != 3 or len(digest) != 64:
        raise JarError(f"jars.lock has a malformed line: {line!r}")
    return Jar(group=parts[0], artifact=parts[1], version=parts[2], sha256=digest)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
