"""JSON lines, one per fact, each written whole so that a killed process leaves whole lines behind."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO


class Journal:
    """An append-only file of JSON lines; `t` is real unix time in seconds. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)

    def write(self, t: float, **fields: Any) -> None:
        """Append one line with the time first; None values are left out."""
        record = {"t": round(t, 6)} | {name: value for name, value in fields.items() if value is not None}
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Every line of a journal. A torn last line (the writer was killed) is left out; any other broken line raises."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]
