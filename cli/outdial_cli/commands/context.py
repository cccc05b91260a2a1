"""What every command shares: where the stack is, how errors become exit code 2, how JSON is printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import httpx
import typer
import yaml
from confluent_kafka import KafkaException

from outdial_cli.config import ConfigError
from outdial_cli.demo.inputs import BadInput
from outdial_cli.demo.services import Refused, Services
from outdial_cli.embedded.jars import JarError
from outdial_cli.embedded.leftovers import DataDirInUse
from outdial_cli.embedded.postgres import SqlFailed
from outdial_cli.embedded.process import ChildFailed
from outdial_cli.embedded.topics import TopicMismatch
from outdial_cli.stack.layout import STACK_FILE, NoStack, StackState, load

P = ParamSpec("P")
R = TypeVar("R")
DATA_DIR = Path(".outdial")
UP_FOLDER = "up"
MENDABLE = (NoStack, BadInput, Refused, ConfigError, DataDirInUse, JarError, SqlFailed, ChildFailed, TopicMismatch)
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
        except BrokenPipeError:
            # Whoever read our output has seen enough (`| head`); what is still buffered goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (*MENDABLE, ValueError) as error:
            fail(str(error))
        except (httpx.HTTPError, KafkaException, ConnectionError, TimeoutError) as error:
            fail(f"the stack does not answer ({type(error).__name__}); is it up? see `outdial up`")
        except OSError as error:
            fail(f"{error.filename or 'this machine'}: {error.strerror or error}")

    return wrapped


def running(data_dir: Path) -> StackState:
    """The stack that `outdial up` left running. Raises NoStack."""
    folder = data_dir / UP_FOLDER
    try:
        return load(folder)
    except (ValueError, KeyError, TypeError):
        raise NoStack(f"{folder / STACK_FILE} is damaged; end `outdial up` and start it again") from None


def services_of(data_dir: Path) -> Services:
    """A client for its services."""
    return Services(running(data_dir).addresses)


def document(file: Path) -> dict[str, Any]:
    """A YAML file that is a mapping, as JSON knows it (a date is its text). Raises BadInput, OSError."""
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise BadInput(f"{file}: not YAML{place}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{file}: not UTF-8") from None
    if not isinstance(raw, dict):
        raise BadInput(f"{file}: must be a mapping of names to values")
    try:
        return dict(json.loads(json.dumps(raw, default=str)))
    except TypeError:
        raise BadInput(f"{file}: a name in it is no text") from None


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
