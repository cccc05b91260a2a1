"""Files: the pages' own, read once; and the reports that the demo wrote, read when asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from console.ports import Asset, ReportFile

PAGES = Path(__file__).parents[1] / "pages"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.html")


def read_assets(folder: Path = PAGES) -> Mapping[str, Asset]:
    """Every file of the pages by its name."""
    assets = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        assets[path.name] = Asset(content=content, content_type=TYPES[path.suffix], etag=etag)
    return assets


class ReportFolder:
    """Implements ports.Reports; without a folder there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def newest_first(self) -> Sequence[ReportFile]:
        """Reports by when they were written."""
        files = self._files()
        found = [
            ReportFile(name=name, written_at=datetime.fromtimestamp(path.stat().st_mtime, UTC))
            for name, path in files.items()
        ]
        return sorted(found, key=lambda report: (report.written_at, report.name), reverse=True)

    def read(self, name: str) -> bytes | None:
        """Only what the folder itself lists: a name never becomes a path."""
        path = self._files().get(name)
        return path.read_bytes() if path is not None else None

    def _files(self) -> dict[str, Path]:
        if self._folder is None or not self._folder.is_dir():
            return {}
        return {path.name: path for path in self._folder.iterdir() if NAME.fullmatch(path.name) and path.is_file()}
