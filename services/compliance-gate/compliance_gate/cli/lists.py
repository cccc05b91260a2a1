"""`compliance-gate lists`: load external suppression lists, and say which copies are in force."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from compliance_gate.cli.terms import RAW, ListTools, UsageError, say

if TYPE_CHECKING:
    from compliance_gate.cli.terms import Areas

LIST_ID = re.compile(r"[A-Z0-9][A-Z0-9-]{1,63}")
AREA = re.compile(r"[2-9][0-9]{2}")
EXAMPLES = """examples:
  compliance-gate lists load US-NDNC dnc_2026_11.txt.gz --dir lists/ --as-of 2026-11-01T00:00:00Z
  compliance-gate lists load US-NDNC 212.txt 646.txt --area-files --dir lists/ --as-of 2026-11-01T00:00:00Z
  compliance-gate lists load US-NDNC changes.csv --delta --dir lists/ --as-of 2026-11-08T00:00:00Z
  compliance-gate lists load-all fetched/ --dir lists/ --as-of 2026-11-08T00:00:00Z
  compliance-gate lists show --dir lists/
"""


def add_to(areas: Areas) -> None:
    """Adds the words to the command line."""
    words = areas.add_parser("lists", help="external suppression lists", epilog=EXAMPLES, formatter_class=RAW)
    verbs = words.add_subparsers(required=True, metavar="load|load-all|show")
    load = verbs.add_parser(
        "load",
        help="make a snapshot and put it in force",
        description=(
            "Reads numbers (10 digits, E.164 with +, area,number, or CSV with a phone column; gzip or not). A running "
            "gate takes the snapshot within seconds. A bad file leaves the old copy in force (exit code 2). An "
            "interrupted load of the same files goes on where it stopped."
        ),
        epilog=EXAMPLES,
        formatter_class=RAW,
    )
    load.add_argument("list_id", metavar="LIST", help="its rule's id, for example US-NDNC")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE")
    load.add_argument("--dir", type=Path, required=True, help="folder of snapshots (OUTDIAL_LISTS_DIR)")
    load.add_argument("--as-of", required=True, metavar="TIME", help="when the copy was taken, YYYY-MM-DDTHH:MM:SSZ")
    load.add_argument("--delta", action="store_true", help="the files change the copy in force")
    load.add_argument(
        "--area-files", action="store_true", help="each file is one area's: 212.txt holds 7-digit numbers"
    )
    load.add_argument("--country-code", default="1", help="of numbers without a plus (default 1)")
    load.add_argument("--json", action="store_true", help="print a JSON object")
    load.set_defaults(run=_load)
    every = verbs.add_parser(
        "load-all",
        help="load every file of a folder; each is named by its list's id, for example US-NDNC.txt",
        epilog=EXAMPLES,
        formatter_class=RAW,
    )
    every.add_argument("files", type=Path, metavar="FOLDER")
    every.add_argument("--dir", type=Path, required=True, help="folder of snapshots (OUTDIAL_LISTS_DIR)")
    every.add_argument("--as-of", required=True, metavar="TIME", help="when the copies were taken")
    every.add_argument("--json", action="store_true", help="print JSON objects")
    every.set_defaults(run=_load_all)
    show = verbs.add_parser("show", help="the copies in force", epilog=EXAMPLES, formatter_class=RAW)
    show.add_argument("--dir", type=Path, required=True, help="folder of snapshots (OUTDIAL_LISTS_DIR)")
    show.add_argument("--json", action="store_true", help="print a JSON object")
    show.set_defaults(run=_show)


def _load(options: argparse.Namespace) -> int:
    tools: ListTools = options.tools.lists
    if not LIST_ID.fullmatch(options.list_id):
        raise UsageError(f"LIST: want {LIST_ID.pattern}")
    sources = [(path, _area(path) if options.area_files else "", options.country_code) for path in options.files]
    progress = _progress if sys.stderr.isatty() and not options.json else None
    try:
        made = tools.load(options.dir, options.list_id, sources, _time(options.as_of), options.delta, progress)
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{options.list_id}: {reason}; the copy in force was left alone") from None
    if progress is not None:
        print(file=sys.stderr)
    say(options, made, f"{options.list_id}: {made['numbers']:,} numbers as of {made['as_of']} are in force")
    return 0


def _load_all(options: argparse.Namespace) -> int:
    if not options.files.is_dir():
        raise UsageError(f"FOLDER: {options.files}: want a folder")
    for file in sorted(path for path in options.files.iterdir() if path.is_file()):
        asked = {"list_id": file.name.partition(".")[0], "files": [file], "delta": False}
        _load(argparse.Namespace(**{**vars(options), **asked, "area_files": False, "country_code": "1"}))
    return 0


def _show(options: argparse.Namespace) -> int:
    tools: ListTools = options.tools.lists
    found = tools.show(options.dir)
    lines = [
        f"{name}  as of {one['as_of']}  {one['numbers']:,} numbers  from {one['source']}" for name, one in found.items()
    ]
    print(json.dumps(found) if options.json else "\n".join(lines) or "no list is in force: marketing calls are blocked")
    return 0


def _area(path: Path) -> str:
    found = AREA.match(path.name)
    if found is None:
        raise UsageError(f"{path.name}: with --area-files a file's name begins with its area code")
    return found.group()


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError("--as-of: want YYYY-MM-DDTHH:MM:SSZ") from None


def _progress(name: str, done: int, numbers: int) -> None:
    print(f"\r{name}: {done >> 20} MiB, {numbers:,} numbers", end="", file=sys.stderr, flush=True)
