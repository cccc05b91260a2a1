"""External lists: their file forms, a snapshot in force that no bad file replaces, and loads that go on."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance_gate import cli
from compliance_gate.adapters import list_files, list_store
from compliance_gate.adapters.list_files import BadListFile, read_numbers
from compliance_gate.adapters.list_store import Load, SnapshotLists, Source, load, manifest, put, take
from compliance_gate.app import build_tools
from compliance_gate.domain.phone_set import DamagedSet, PhoneSet

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
FORMS = {
    "plain": b"2125550101\n2125550102\n",
    "windows lines, no last end": b"2125550101\r\n2125550102",
    "with country": b"12125550101\n+12125550102\n",
    "written by people": b"(212) 555-0101\n212.555.0102\n\n",
    "area,number": b"212,5550101\n212,5550102\n",
    "quoted": b'"2125550101"\n"2125550102"\n',
    "csv": b"id,Phone,since\n1,2125550101,2020-01-01\n2,+1 212 555 0102,2020-01-02\n",
}


def whole(path: Path, **options: str) -> list[int]:
    return sorted(int(n) for piece in read_numbers(path, **options) for n in piece.added)


@pytest.mark.parametrize("packed", [False, True], ids=["as is", "gzip"])
@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS.keys())
def test_every_usual_form_of_file_is_read(tmp_path: Path, content: bytes, packed: bool) -> None:
    file = tmp_path / "list"
    file.write_bytes(gzip.compress(content) if packed else content)
    assert whole(file) == [12125550101, 12125550102]


def test_area_file_holds_seven_digits_and_other_countries_their_own(tmp_path: Path) -> None:
    area, british = tmp_path / "212.txt", tmp_path / "tps.txt"
    area.write_bytes(b"5550101\n5550102\n")
    british.write_bytes(b"2071838750\n+447700900123\n")
    assert whole(area, area="212") == [12125550101, 12125550102]
    assert whole(british, country_code="44") == [442071838750, 447700900123]


@pytest.mark.parametrize(
    "content, line",
    [
        (b"", 1),
        (b" \n", 1),
        (b"2125550101\n212555010\n", 2),
        (b"2125550101\n\n2125550x02\n", 3),
        (b"name,since\nA,2020\n", 1),
        (b"phone,change\n2125550101,Z\n", 2),
    ],
)
def test_line_that_is_no_number_names_its_line_and_not_the_number(tmp_path: Path, content: bytes, line: int) -> None:
    file = tmp_path / "list"
    file.write_bytes(content)
    with pytest.raises(BadListFile, match=f"line {line}: ") as raised:
        whole(file)
    assert "555" not in str(raised.value)


@given(st.lists(st.integers(2_000_000_000, 9_999_999_999), max_size=200), st.integers(8, 64))
def test_pieces_of_any_size_hold_the_same_numbers(numbers: list[int], size: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(list_files, "CHUNK_BYTES", size)
        file = Path(folder) / "list"
        file.write_bytes(b"2125550101\n" + b"".join(b"%d\n" % n for n in numbers))
        assert whole(file) == sorted([12125550101, *(10**10 + n for n in numbers)])


@given(st.lists(st.integers(10**9, 10**14), max_size=50), st.lists(st.integers(10**9, 10**14), max_size=50))
def test_phone_set_is_a_set_of_numbers(added: list[int], taken: list[int]) -> None:
    phones = PhoneSet()
    put(phones, np.array(added, np.uint64))
    take(phones, np.array(taken, np.uint64))
    expected = set(added) - set(taken)
    assert len(phones) == len(expected)
    assert all((n in phones) == (n in expected) for n in {*added, *taken, 12125550101})
    again = PhoneSet.from_bytes(memoryview(b"".join(phones.chunks())))
    assert again == phones
    assert again.copy() == phones


@pytest.mark.parametrize("cut", [1, 10, 17, 30])
def test_snapshot_that_was_cut_off_is_no_snapshot(cut: int) -> None:
    phones = PhoneSet()
    put(phones, np.array([12125550101, 442071838750], np.uint64))
    with pytest.raises(DamagedSet):
        PhoneSet.from_bytes(memoryview(b"".join(phones.chunks())[:-cut]))


def test_gzip_file_that_was_cut_off_is_no_list(tmp_path: Path) -> None:
    file = tmp_path / "list.gz"
    file.write_bytes(gzip.compress(b"2125550101\n" * 1000)[:-9])
    with pytest.raises(BadListFile, match="cut off"):
        whole(file)


def wanted(*files: Path, as_of: datetime = NOW, delta: bool = False) -> Load:
    return Load(list_id="US-NDNC", sources=[Source(path=file) for file in files], as_of=as_of, delta=delta)


def test_new_copy_is_swapped_in_and_says_how_old_it_is(tmp_path: Path) -> None:
    file, folder = tmp_path / "list", tmp_path / "lists"
    file.write_bytes(b"2125550101\n")
    load(folder, wanted(file), NOW)
    lists = SnapshotLists(folder)
    assert lists.copies("+12125550101") == {}
    assert set(asyncio.run(lists.refresh())) == {"US-NDNC"}
    assert lists.copies("+12125550101")["US-NDNC"].listed
    assert not lists.copies("+12125550102")["US-NDNC"].listed
    assert lists.copies("+12125550102")["US-NDNC"].as_of == NOW
    assert asyncio.run(lists.refresh()) == {}
    delta = tmp_path / "delta.csv"
    delta.write_bytes(b"phone,change\n2125550101,D\n2125550102,A\n")
    load(folder, wanted(delta, as_of=NOW + timedelta(days=1), delta=True), NOW)
    asyncio.run(lists.refresh())
    assert not lists.copies("+12125550101")["US-NDNC"].listed
    assert lists.copies("+12125550102")["US-NDNC"].as_of == NOW + timedelta(days=1)
    assert len(list((folder / "US-NDNC").iterdir())) == 2  # the manifest and one snapshot: nothing piles up


def test_bad_file_older_copy_or_damage_leaves_the_old_copy_in_force(tmp_path: Path) -> None:
    good, bad, folder = tmp_path / "good", tmp_path / "bad", tmp_path / "lists"
    good.write_bytes(b"2125550101\n")
    bad.write_bytes(b"2125550109\nnot a number\n")
    first = load(folder, wanted(good), NOW)
    with pytest.raises(BadListFile):
        load(folder, wanted(good, bad), NOW)
    with pytest.raises(BadListFile, match="younger"):
        load(folder, wanted(good, as_of=NOW - timedelta(days=1)), NOW)
    assert manifest(folder / "US-NDNC") == first
    lists = SnapshotLists(folder)
    asyncio.run(lists.refresh())
    second = load(folder, wanted(good, as_of=NOW + timedelta(days=1)), NOW)
    snapshot = folder / "US-NDNC" / second.file
    snapshot.write_bytes(snapshot.read_bytes()[:-1])
    with pytest.raises(DamagedSet):
        asyncio.run(lists.refresh())
    assert lists.copies("+12125550101")["US-NDNC"].as_of == NOW


def test_delta_without_a_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "delta.csv"
    file.write_bytes(b"phone,change\n2125550101,A\n")
    with pytest.raises(BadListFile, match="needs a whole list"):
        load(tmp_path / "lists", wanted(file, delta=True), NOW)


def test_interrupted_load_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_files, "CHUNK_BYTES", 110)
    monkeypatch.setattr(list_store, "SAVE_EVERY_BYTES", 200)
    one, two, folder = tmp_path / "one", tmp_path / "two", tmp_path / "lists"
    one.write_bytes(b"".join(b"212555%04d\n" % n for n in range(100)))
    two.write_bytes(b"".join(b"646555%04d\n" % n for n in range(100)))
    seen: list[int] = []

    def stops(name: str, offset: int, numbers: int) -> None:
        seen.append(numbers)
        if name == "two" and offset > 500:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(folder, wanted(one, two), NOW, stops)
    assert manifest(folder / "US-NDNC") is None
    again: list[int] = []
    made = load(folder, wanted(one, two), NOW, lambda name, offset, numbers: again.append(numbers))
    assert made.numbers == 200
    assert again[0] > 100  # the first file was not read again
    lists = SnapshotLists(folder)
    asyncio.run(lists.refresh())
    listed = [n for n in range(100) if lists.copies(f"+1646555{n:04d}")["US-NDNC"].listed]
    assert listed == list(range(100))


def test_commands_load_and_show_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, folder = tmp_path / "212.txt", str(tmp_path / "lists")
    file.write_bytes(b"5550101\n5550102\n")
    as_of = ["--dir", folder, "--as-of", "2026-11-01T00:00:00Z"]
    assert cli.main(["lists", "load", "US-NDNC", str(file), "--area-files", *as_of], build_tools()) == 0
    assert "2 numbers" in capsys.readouterr().out
    assert cli.main(["lists", "show", "--dir", folder, "--json"], build_tools()) == 0
    assert json.loads(capsys.readouterr().out)["US-NDNC"]["numbers"] == 2
    for wrong in (
        ["US-NDNC", str(tmp_path / "absent"), *as_of],
        ["us list", str(file), *as_of],
        ["US-NDNC", str(file), *as_of],
    ):
        assert cli.main(["lists", "load", *wrong], build_tools()) == 2
        assert "5550101" not in capsys.readouterr().err
