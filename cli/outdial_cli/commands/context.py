"""What every command shares: where the stack is, how errors become exit code 2, how JSON is printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import httpx
import typer

from outdial_cli.demo.inputs import BadInput
from outdial_cli.demo.services import Refused, Services
from outdial_cli.stack.layout import NoStack, StackState, load

P = ParamSpec("P")
R = TypeVar("R")
DATA_DIR = Path(".outdial")
UP_FOLDER = "up"
DataDir = typer.Option(DATA_DIR, "--data-dir", help="Where outdial keeps its data.")
AsJson = typer.Option(False, "--json", help="Print JSON for machines.")


def fail(text: str) -> NoReturn:
    """Says what is wrong on stderr and exits with 2."""
    print(f"outdial: {text}", file=sys.stderr)
    raise typer.Exit(2)


def careful(command: Callable[P, R]) -> Callable[P, R]:
    """Turns what a person can mend into one line and exit code 2."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (NoStack, BadInput, Refused, FileNotFoundError, ValueError) as error:
            fail(str(error))
        except httpx.HTTPError as error:
            fail(f"a service does not answer ({type(error).__name__}); is the stack up? see `outdial up`")

    return wrapped


def running(data_dir: Path) -> StackState:
    """The stack that `outdial up` left running. Raises NoStack."""
    return load(data_dir / UP_FOLDER)


def services_of(data_dir: Path) -> Services:
    """A client for its services."""
    return Services(running(data_dir).addresses)


def print_json(body: Any) -> None:
    """To stdout."""
    print(json.dumps(body, indent=2, default=str))


def print_mapping(body: Mapping[str, Any], indent: str = "") -> None:
    """A document as indented lines; lists of documents one after the other."""
    for name, value in body.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}:")
            print_mapping(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for item in value:
                print(f"{indent}{name}:")
                print_mapping(item, indent + "  ")
        else:
            print(f"{indent}{name}: {value}")
