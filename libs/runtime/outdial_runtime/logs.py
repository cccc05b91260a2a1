"""One log line per happening, `key=value`; errors appear as types and places, as their text may hold a number."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import Any

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class KeyValueFormatter(logging.Formatter):
    """`time level logger service message key=value ...`"""

    def __init__(self, instance: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        self._instance = instance

    def formatMessage(self, record: logging.LogRecord) -> str:
        extra = {k: v for k, v in vars(record).items() if k not in STANDARD}
        pairs = " ".join(f"{k}={_value(v)}" for k, v in {"instance": self._instance, **extra}.items())
        return f"{super().formatMessage(record)} {pairs}"

    def formatException(self, ei: Any) -> str:
        return where(ei[1])


def configure_logging(instance: str, level: str) -> None:
    """Sends every log line of the process to stderr in this format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter(instance))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("uvicorn", "uvicorn.error", "asyncio", "httpx"):
        logging.getLogger(chatty).setLevel(max(logging.getLevelName(level), logging.WARNING))


def where(error: BaseException | None) -> str:
    """Types and places of an exception, its causes and its group's members, without their text."""
    if error is None:
        return ""
    if isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__}[{'; '.join(where(e) for e in error.exceptions)}]"
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    place = " > ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}:{f.name}" for f in frames)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{type(error).__name__}({place})" + (f" from {where(cause)}" if cause else "")


def _value(value: object) -> str:
    text = str(value)
    return json.dumps(text) if " " in text or '"' in text or not text else text
