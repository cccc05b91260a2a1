"""Every kind of tampering with a real ledger is found offline, and the first record at fault is named.

The ledger is made by the gate on real PostgreSQL: two boots, four chains, checkpoints, and one newer export.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import KeySet, OKPKey

from compliance_gate.adapters.postgres import PostgresStore
from compliance_gate.domain import jose
from compliance_gate.domain.ledger import Chain, Checkpoint, Frontier, canonical, checkpoint_claims, record_hash
from compliance_gate.domain.verification import Heads, Problem, Verifier, lines_of, topic_heads, verify
from compliance_gate.handlers.ledger import checkpoint, export
from outdial_runtime.service import TickInput

STRANGER = OKPKey.generate_key("Ed25519", {"kid": "stranger"})


@dataclass
class Book:
    """An export as lines that a test may change, and what an honest verifier was given beside it."""

    lines: list[str]
    older: list[str]
    """An earlier export of the same ledger, with its own valid manifest."""
    keys: KeySet
    topic: list[Checkpoint]
    chains: list[str] = field(default_factory=list)
    """In the order of the export: decisions and redemptions of one boot, then of the next."""

    def at(self, chain: int, seq: int) -> int:
        """Line of a record."""
        tail = f'"seq":{seq},"type":"record"}}'
        name = f'"chain_id":"{self.chains[chain]}"'
        return next(n for n, line in enumerate(self.lines) if name in line and line.endswith(tail))

    def signed(self, chain: int) -> list[int]:
        """Lines of a chain's checkpoints."""
        return [n for n, line in enumerate(self.lines) if '"checkpoint"' in line and self.chains[chain] in line]

    def block(self, chain: int) -> list[int]:
        """Lines of a chain."""
        return [n for n, line in enumerate(self.lines[:-1]) if json.loads(line)["chain_id"] == self.chains[chain]]

    def last(self, chain: int) -> int:
        """Number of the chain's last record."""
        return int(max(json.loads(self.lines[n])["seq"] for n in self.block(chain)))

    def checked(self, topic: bool = False) -> Verifier:
        """What the verifier says now."""
        return verify(lines_of("".join(f"{line}\n" for line in self.lines).encode()), self.check, self.heads(topic)[0])

    def heads(self, topic: bool = True) -> tuple[Heads, list[Problem]]:
        """The topic as it was dumped."""
        return topic_heads([f"{c.line()}\n".encode() for c in self.topic] if topic else [], self.check)

    def check(self, token: str) -> Any:
        return jose.verify(token, self.keys)


async def play(world: Any, a: Any, boot: str) -> None:
    """Two decisions and redemptions under each of two checkpoints, and one of each after them."""
    for n in range(5):
        cleared = await world.clear(a.offer(person_id=f"{boot}{n}", phone=f"+1312555{ord(boot):03d}{n}"))
        await world.redeem(world.asking(cleared))
        if n in (1, 3):
            await checkpoint(TickInput(now=world.clock.now(), partition=None), world.deps)


async def lines(world: Any) -> list[str]:
    whole = b"".join([chunk async for chunk in export(world.deps)]).decode()
    return whole.removesuffix("\n").split("\n")


@pytest.fixture
async def book(real: Any, a: Any, make_deps: Any) -> Book:
    real.publish()
    await play(real, a, "a")
    older = await lines(real)
    later = {chain: f"later.{chain.value}" for chain in Chain}
    store = PostgresStore(real.pool, real.rows, later)
    for chain in Chain:
        await store.open_chain(chain, {"boot_id": "later", "clock_shifted": True})
    next_boot = make_deps(store, later)
    next_boot.deps = copy.copy(next_boot.deps)
    object.__setattr__(next_boot.deps, "signer", real.deps.signer)
    next_boot.publish()
    await play(next_boot, a, "b")
    keys = KeySet.import_key_set(json.loads(json.dumps(real.deps.signer.public_keys())))
    names = [*real.deps.chains.values(), *later.values()]
    made = Book(
        lines=await lines(next_boot), older=older, keys=keys, topic=list(await store.checkpoints()), chains=names
    )
    found = made.checked(topic=True)
    assert (found.problems, found.chains, found.checkpoints) == ([], 4, 8)
    assert made.heads()[1] == []
    return made


def flip(book: Book) -> str:
    at = book.at(1, 4)
    book.lines[at] = book.lines[at].replace('"leg_no":1', '"leg_no":2', 1)
    return f"{book.chains[1]}:4"


def flip_a_hash(book: Book) -> str:
    at = book.at(0, 3)
    value = json.loads(book.lines[at])["hash"]
    book.lines[at] = book.lines[at].replace(value, value[:-1] + ("0" if value[-1] != "0" else "1"))
    return f"{book.chains[0]}:3"


def flip_a_chain_id(book: Book) -> str:
    at = book.at(2, 4)
    book.lines[at] = book.lines[at].replace(book.chains[2], book.chains[2].replace("later", "lates"))
    return f"{book.chains[2]}:4"


def delete(book: Book) -> str:
    del book.lines[book.at(2, 3)]
    return f"{book.chains[2]}:3"


def delete_a_genesis(book: Book) -> str:
    del book.lines[book.at(3, 1)]
    return f"{book.chains[3]}:1"


def reorder(book: Book) -> str:
    one, other = book.at(1, 7), book.at(1, 8)
    book.lines[one], book.lines[other] = book.lines[other], book.lines[one]
    return f"{book.chains[1]}:7"


def move_to_another_chain(book: Book) -> str:
    line = book.lines.pop(book.at(0, 6))
    book.lines.insert(book.at(2, 3), line)
    return f"{book.chains[0]}:6"


def insert_a_copy(book: Book) -> str:
    book.lines.insert(book.at(1, 9), book.lines[book.at(1, 3)])
    return f"{book.chains[1]}:3"


def insert_a_forged_record(book: Book) -> str:
    at = book.at(0, 4)
    book.lines.insert(at, relinked(book.lines[at], previous=json.loads(book.lines[at])["previous"], reasons=["HOURS"]))
    return f"{book.chains[0]}:4"


def truncate_records(book: Book) -> str:
    del book.lines[book.at(3, 6) :]
    return f"{book.chains[3]}:6"


def truncate_within_a_line(book: Book) -> str:
    at = book.at(3, 6)
    book.lines[at:] = [book.lines[at][:100]]
    return f"{book.chains[3]}:6"


def truncate_the_tail_but_keep_the_manifest(book: Book) -> str:
    last = book.last(3)
    del book.lines[book.at(3, last)]
    return f"{book.chains[3]}:{last}"


def truncate_the_tail_of_checkpoints(book: Book) -> str:
    at = book.signed(2)[-1]
    seq = json.loads(book.lines.pop(at))["seq"]
    return f"{book.chains[2]}:{seq}"


def truncate_the_manifest(book: Book) -> str:
    del book.lines[-1]
    return f"{book.chains[3]}:{json.loads(book.lines[-1])['seq'] + 1}"


def swap_the_names_of_two_chains(book: Book) -> str:
    one, other = book.chains[0], book.chains[1]
    text = "\n".join(book.lines).replace(one, "\0").replace(other, one).replace("\0", other)
    book.lines = text.split("\n")
    return f"{other}:1"


def swap_the_places_of_two_chains(book: Book) -> str:
    one, other = book.block(0), book.block(1)
    moved = [book.lines[n] for n in other] + [book.lines[n] for n in one]
    book.lines[: len(moved)] = moved
    return f"{book.chains[1]}:1"


def swap_two_geneses(book: Book) -> str:
    one, other = book.at(0, 1), book.at(1, 1)
    book.lines[one], book.lines[other] = book.lines[other], book.lines[one]
    return f"{book.chains[0]}:1"


def recompute_without_the_key(book: Book) -> str:
    """Record 5 of the second boot's decisions is rewritten and every hash after it made anew."""
    rewrite(book, 2, 5)
    return f"{book.chains[2]}:4..5"


def recompute_after_the_last_checkpoint(book: Book) -> str:
    last = book.last(2)
    rewrite(book, 2, last)
    return f"{book.chains[2]}:{last}"


def recompute_and_sign_with_an_unknown_key(book: Book) -> str:
    rewrite(book, 0, 3)
    frontier = Frontier()
    for n in book.block(0):
        value = json.loads(book.lines[n])
        if value["type"] == "record":
            frontier.add(value["hash"])
            head = value["hash"]
            continue
        claims = checkpoint_claims(value["chain_id"], value["seq"], head, frontier.root())
        book.lines[n] = canonical({"type": "checkpoint", **claims, "signature": jose.sign(claims, STRANGER)})
    return f"{book.chains[0]}:3"


def sign_one_checkpoint_with_an_unknown_key(book: Book) -> str:
    at = book.signed(1)[0]
    value = json.loads(book.lines[at])
    claims = {name: value[name] for name in ("chain_id", "seq", "head", "root")}
    book.lines[at] = canonical({**value, "signature": jose.sign(claims, STRANGER)})
    return f"{book.chains[1]}:{value['seq']}"


def drop_a_whole_chain(book: Book) -> str:
    for n in reversed(book.block(1)):
        del book.lines[n]
    return f"{book.chains[1]}:1"


def drop_the_newest_chain(book: Book) -> str:
    for n in reversed(book.block(3)):
        del book.lines[n]
    return f"{book.chains[3]}:1"


def replay_an_older_manifest(book: Book) -> str:
    book.lines[-1] = book.older[-1]
    return f"{book.chains[2]}:1"


KINDS: list[Callable[[Book], str]] = [
    flip, flip_a_hash, flip_a_chain_id, delete, delete_a_genesis, reorder, move_to_another_chain, insert_a_copy,
    insert_a_forged_record, truncate_records, truncate_within_a_line, truncate_the_tail_but_keep_the_manifest,
    truncate_the_tail_of_checkpoints, truncate_the_manifest, swap_the_names_of_two_chains,
    swap_the_places_of_two_chains, swap_two_geneses, recompute_without_the_key, recompute_after_the_last_checkpoint,
    recompute_and_sign_with_an_unknown_key, sign_one_checkpoint_with_an_unknown_key, drop_a_whole_chain,
    drop_the_newest_chain, replay_an_older_manifest,
]  # fmt: skip


def relinked(line: str, previous: str, **changes: Any) -> str:
    """A record's line with another predecessor and body, its hash made anew."""
    value = json.loads(line)
    content = {name: value[name] for name in ("chain_id", "seq", "kind")}
    content |= {"previous": previous, "body": {**value["body"], **changes}}
    return canonical({"type": "record", **content, "hash": record_hash(content)})


def rewrite(book: Book, chain: int, seq: int) -> None:
    """Says something else in one record and makes every hash after it anew."""
    head = ""
    for n in book.block(chain):
        value = json.loads(book.lines[n])
        if value["type"] == "record" and value["seq"] >= seq:
            changes = {"decision": "blocked"} if value["seq"] == seq else {}
            book.lines[n] = relinked(book.lines[n], head or value["previous"], **changes)
            head = json.loads(book.lines[n])["hash"]


@pytest.mark.stack
@pytest.mark.parametrize("tamper", KINDS, ids=lambda kind: kind.__name__)
async def test_tampering_is_found_and_the_first_bad_record_named(book: Book, tamper: Callable[[Book], str]) -> None:
    named = tamper(book)
    problems = book.checked().problems
    assert problems
    assert problems[0].where == named, problems
    assert book.checked(topic=True).problems, "the topic's checkpoints hide nothing"


@pytest.mark.stack
async def test_an_older_export_holds_alone_and_the_topic_names_what_it_lacks(book: Book) -> None:
    book.lines = book.older
    assert book.checked().problems == []
    problems = book.checked(topic=True).problems
    assert [problem.where for problem in problems] == [f"{book.chains[2]}:1", f"{book.chains[3]}:1"]


@pytest.mark.stack
async def test_a_shorter_export_of_the_same_chains_lacks_the_record_after_its_last(book: Book) -> None:
    """As if the key's holder exported again from a database that was cut back."""
    other = copy.deepcopy(book)
    other.topic = [c for c in book.topic if c.chain_id in book.chains[:2]]
    ahead = Checkpoint(chain_id=book.chains[0], seq=99, head="ab" * 32, root="cd" * 32, signature="")
    other.lines = book.older
    assert other.checked(topic=True).problems == []
    heads = {chain: dict(said) for chain, said in other.heads()[0].items()}
    heads[ahead.chain_id][ahead.seq] = (ahead.head, ahead.root)
    text = "".join(f"{line}\n" for line in other.lines).encode()
    [problem] = verify(lines_of(text), other.check, heads).problems
    assert problem.where == f"{book.chains[0]}:{other.last(0) + 1}"


@pytest.mark.stack
async def test_topic_that_says_two_things_is_named_and_so_is_a_checkpoint_of_a_stranger(book: Book) -> None:
    first = book.topic[0]
    claims = checkpoint_claims(first.chain_id, first.seq, "ab" * 32, "cd" * 32)
    forged = Checkpoint(**claims, signature=jose.sign(claims, STRANGER))
    book.topic.append(forged)
    [problem] = book.heads()[1]
    assert problem.where == f"{first.chain_id}:{first.seq}"
    assert "stranger" in problem.what
    book.keys.keys.append(STRANGER)
    [problem] = book.heads()[1]
    assert "contradict" in problem.what


@pytest.mark.stack
async def test_no_change_of_bytes_or_lines_goes_unseen(book: Book) -> None:
    whole = "".join(f"{line}\n" for line in book.lines).encode()
    count = len(book.lines)
    edits = st.one_of(
        st.tuples(st.just("flip"), st.integers(0, len(whole) - 1), st.integers(1, 255)),
        st.tuples(st.just("cut"), st.integers(0, len(whole) - 1), st.integers(1, 500)),
        st.tuples(st.just("add"), st.integers(0, len(whole)), st.integers(0, 255)),
        st.tuples(st.just("drop"), st.integers(0, count - 1), st.just(0)),
        st.tuples(st.just("move"), st.integers(0, count - 1), st.integers(0, count - 1)),
        st.tuples(st.just("copy"), st.integers(0, count - 1), st.integers(0, count - 1)),
        st.tuples(st.just("swap"), st.integers(0, count - 1), st.integers(0, count - 1)),
    )

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(edits, min_size=1, max_size=3))
    def changed(steps: list[tuple[str, int, int]]) -> None:
        made = whole
        for word, at, other in steps:
            made = edited(made, word, at, other)
        if made != whole:
            assert verify(lines_of(made), book.check).problems

    changed()


def edited(export: bytes, word: str, at: int, other: int) -> bytes:
    """One change of bytes or of whole lines."""
    if word == "flip":
        return export[:at] + bytes([export[at] ^ other]) + export[at + 1 :] if at < len(export) else export
    if word == "cut":
        return export[:at] + export[at + other :]
    if word == "add":
        return export[:at] + bytes([other]) + export[at:]
    kept = export.splitlines(keepends=True)
    at, other = at % max(len(kept), 1), other % max(len(kept), 1)
    if not kept:
        return export
    if word == "swap":
        kept[at], kept[other] = kept[other], kept[at]
    else:
        line = kept[at] if word == "copy" else kept.pop(at)
        if word != "drop":
            kept.insert(other, line)
    return b"".join(kept)
