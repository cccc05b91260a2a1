"""Dead letters: list what could not be handled, replay it after the cause is mended."""

from __future__ import annotations

import socket
from pathlib import Path

import typer
from confluent_kafka import Producer
from rich.table import Table

from outdial_cli.commands.context import AsJson, DataDir, careful, print_json, running
from outdial_cli.records import Record, TopicReader
from outdial_cli.report.render import wide_console
from outdial_cli.stack.layout import StackState
from outdial_contracts.topics import TOPICS

app = typer.Typer(help="Messages that could not be handled.", no_args_is_help=True)
CONNECT_SECONDS = 5.0
DEAD_HEADERS = ("dead_reason", "dead_detail", "dead_topic", "dead_partition", "dead_offset", "dead_service")


@app.command("list")
@careful
def dead_list(
    topic: str | None = typer.Argument(None, help="Topic whose dead letters to list; all without it."),
    data_dir: Path = DataDir,
    as_json: bool = AsJson,
) -> None:
    """List dead letters with reason, partition and offset; never their content.

    Example: outdial dead list lead.submitted
    """
    rows = [_row(record) for record in _dead(running(data_dir), topic)]
    if as_json:
        print_json(rows)
        return
    table = Table(show_edge=False)
    for name in ("topic", "partition", "offset", "reason", "detail", "bytes"):
        table.add_column(name)
    for row in rows:
        table.add_row(*(str(row[name]) for name in ("topic", "partition", "offset", "reason", "detail", "bytes")))
    wide_console(stderr=False).print(table if rows else "no dead letters")


@app.command("replay")
@careful
def dead_replay(
    topic: str = typer.Argument(help="Topic whose dead letters go back to it."),
    offset: int | None = typer.Option(None, "--offset", help="Only those that came from this offset."),
    partition: int | None = typer.Option(None, "--partition", help="Only those that came from this partition."),
    data_dir: Path = DataDir,
) -> None:
    """Send dead letters back to their topic and partition, bytes and headers as they were.

    Example: outdial dead replay lead.submitted --offset 17
    """
    state = running(data_dir)
    letters = [r for r in _dead(state, topic) if _is_wanted(r, partition, offset)]
    if not letters:
        raise ValueError(f"no such dead letter of {topic}; see `outdial dead list {topic}`")
    producer = Producer({"bootstrap.servers": state.bootstrap, "acks": "all", "enable.idempotence": True})
    for letter in letters:
        kept: list[tuple[str, str | bytes | None]] = [
            (name, value) for name, value in letter.headers.items() if name not in DEAD_HEADERS
        ]
        place = int(_header(letter, "dead_partition"))  # its consumer is the one that owns its key, or its gateway
        producer.produce(state.topic_prefix + topic, value=letter.value, key=letter.key, headers=kept, partition=place)
    unsent = producer.flush(30)
    if unsent:
        raise ValueError(f"{unsent} of {len(letters)} were not acknowledged; run it again: consumers are idempotent")
    print(f"{len(letters)} replayed to {topic}")


def _dead(state: StackState, topic: str | None) -> list[Record]:
    if topic is not None and (topic not in TOPICS or TOPICS[topic].dead_letter is None):
        raise ValueError(f"{topic} is no topic with dead letters")
    host, _, port = state.bootstrap.split(",")[0].rpartition(":")
    socket.create_connection((host, int(port)), CONNECT_SECONDS).close()  # Kafka's client would log, and never give up
    wanted = [TOPICS[topic].dead_letter] if topic else [t.dead_letter for t in TOPICS.values()]
    found = TopicReader(state.bootstrap, state.topic_prefix).read([name for name in wanted if name])
    return [record for records in found.values() for record in records]


def _is_wanted(record: Record, partition: int | None, offset: int | None) -> bool:
    wanted = {"dead_partition": partition, "dead_offset": offset}
    return all(value is None or _header(record, name) == str(value) for name, value in wanted.items())


def _row(record: Record) -> dict[str, str | int]:
    return {
        "topic": record.topic.removesuffix(".dead"),
        "partition": _header(record, "dead_partition"),
        "offset": _header(record, "dead_offset"),
        "reason": _header(record, "dead_reason"),
        "detail": _header(record, "dead_detail"),
        "bytes": len(record.value),
    }


def _header(record: Record, name: str) -> str:
    return record.headers.get(name, b"").decode("utf-8", "replace")
