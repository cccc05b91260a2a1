"""The Reassigned Numbers Database: questions out of the store, answers into it whole or not at all, what they mean."""

from __future__ import annotations

import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance_gate import cli
from compliance_gate.adapters.reassigned_files import export_questions, import_answers
from compliance_gate.app import build_tools
from compliance_gate.domain.reassigned import Answered, AnswerFileError, disconnected_at, questions, read_answers
from outdial_contracts.events import ComplianceCleared, ReassignedAnswer, ReassignedReply

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
YES, NO, NO_DATA = ReassignedReply.YES, ReassignedReply.NO, ReassignedReply.NO_DATA


def answer(day: int, reply: ReassignedReply, answered: int = 100) -> ReassignedAnswer:
    """An answer about day `day` of 2026, given on day `answered`."""
    return ReassignedAnswer(
        number_key="n",
        consent_date=(date(2026, 1, 1) + timedelta(days=day)).isoformat(),
        reply=reply,
        answered_at=datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=answered),
    )


def test_every_usual_form_of_an_answer_file_is_read() -> None:
    lines = ["\ufeff2125550123,20260115,yes\n", "12125550123,2026-01-15, NO \n", "\n", "+12125550123,20260116,no_data"]
    assert list(read_answers(["number,date,answer\r\n", *lines[1:]])) == [
        Answered(e164="+12125550123", consent_date=date(2026, 1, 15), reply=NO),
        Answered(e164="+12125550123", consent_date=date(2026, 1, 16), reply=NO_DATA),
    ]


@pytest.mark.parametrize(
    "bad, error",
    [
        ("2125550123,20260115", "line 2: want number,date,answer; it has 2 fields"),
        ("212555012,20260115,yes", "line 2: number: want 10 digits of the United States"),
        ("2125550123,20260231,yes", "line 2: date: want YYYYMMDD"),
        ("2125550123,15.01.2026,yes", "line 2: date: want YYYYMMDD"),
        ("2125550123,20260115,maybe", "line 2: answer: want yes, no or no_data"),
    ],
)
def test_bad_line_is_named_with_field_and_rule_and_without_the_number(bad: str, error: str) -> None:
    with pytest.raises(AnswerFileError) as refused:
        list(read_answers(["2125550123,20260115,no\n", bad]))
    assert str(refused.value) == error


def test_only_numbers_of_the_united_states_are_asked_about(pack: Any, a: Any) -> None:
    two = (a.consent(), a.consent(consent_id="c2"), a.consent(consent_id="c3", channel="sms"))
    asked = a.consent().granted_at.date()
    assert list(questions(a.offer(consents=two), pack)) == [("2125550123", asked)]
    for phone in ("+442071838750", "+14165550123", "+18005550123", "+12425550123"):
        assert list(questions(a.offer(phone=phone), pack)) == []


def test_consent_is_void_only_where_a_disconnect_may_have_come_after_it() -> None:
    assert disconnected_at([answer(10, NO), answer(20, NO_DATA)]) is None
    assert disconnected_at([answer(10, YES)]) == answer(10, YES).answered_at
    bounded = disconnected_at([answer(10, YES), answer(50, NO)])
    assert bounded == datetime(2026, 2, 20, tzinfo=UTC)
    assert disconnected_at([answer(10, YES, 100), answer(50, NO, 60)]) == answer(10, YES, 100).answered_at
    assert disconnected_at([answer(10, YES), answer(5, NO)]) == answer(10, YES).answered_at


@given(
    st.lists(
        st.builds(answer, st.integers(0, 90), st.sampled_from([YES, NO, NO_DATA]), st.integers(91, 200)), max_size=6
    ),
    st.builds(answer, st.integers(0, 90), st.just(YES), st.integers(91, 200)),
)
def test_one_more_yes_never_gives_a_consent_back(answers: list[ReassignedAnswer], yes: ReassignedAnswer) -> None:
    known = {one.consent_date: one for one in answers}
    before = disconnected_at(list(known.values()))
    after = disconnected_at([*(one for d, one in known.items() if d != yes.consent_date), yes])
    assert after is not None
    same_question = known.get(yes.consent_date)
    if same_question is None or same_question.reply is not YES:
        assert before is None or before <= after


async def dsn_of(real: Any, request: pytest.FixtureRequest) -> str:
    """The database, in the test's schema."""
    dsn = request.getfixturevalue("postgres_dsn")
    schema = await real.pool.fetchval("SELECT current_schema()")
    return f"{dsn}{'&' if '?' in dsn else '?'}search_path={schema}"


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


@pytest.mark.stack
async def test_questions_go_out_and_a_yes_comes_back_into_force(
    real: Any, a: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    real.publish(retry_max_per_person=99)
    dsn, out, shown = await dsn_of(real, request), tmp_path / "questions.csv", list[int]()
    for number in range(3):
        for person in range(2):
            await real.clear(a.offer(phone=f"+1212555{number:04d}", person_id=f"p{person}"))
    await real.clear(a.offer(phone="+442071838750"))
    rows = await export_questions(dsn, real.deps.pack, out, shown.append)
    asked = a.consent().granted_at.date()
    assert sorted(out.read_text().split()) == [f"212555{n:04d},{asked:%Y%m%d}" for n in range(3)]
    assert (rows, shown[-1]) == (3, 3)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["questions.csv"]
    answers = tmp_path / "answers.csv"
    replied = zip(out.read_text().split(), ("yes", "no", "no_data"), strict=True)
    answers.write_text("".join(f"{line},{reply}\n" for line, reply in replied))
    replies = await import_answers(dsn, real.deps.tokens, answers, a.now, a.now, shown.append)
    assert replies == {"YES": 1, "NO": 1, "NO_DATA": 1}
    first = out.read_text()[:10]
    reasons = (await real.clear(a.offer(phone=f"+1{first}", person_id="p9"))).reasons
    assert reasons == ("CONSENT_REASSIGNED",)
    others = {f"+1212555{n:04d}" for n in range(3)} - {f"+1{first}"}
    for phone in sorted(others):
        assert isinstance(await real.clear(a.offer(phone=phone, person_id="p9")), ComplianceCleared)


@pytest.mark.stack
async def test_file_with_a_bad_line_changes_nothing(
    real: Any, a: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dsn, answers = await dsn_of(real, request), tmp_path / "answers.csv"
    good = "".join(f"212555{n:04d},20260115,yes\n" for n in range(2_500))
    for bad, error in ((good + "2125559999,20260115,perhaps\n", "line 2501: answer"), ("", "the file has no answer")):
        answers.write_text(bad)
        with pytest.raises(AnswerFileError, match=error):
            await import_answers(dsn, real.deps.tokens, answers, a.now, a.now, lambda rows: None)
        assert await real.pool.fetchval("SELECT count(*) FROM reassigned") == 0
        assert await real.pool.fetchval("SELECT count(*) FROM reassigned_imports") == 0


@pytest.mark.stack
def test_command_says_what_is_wrong_and_exits_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], postgres_dsn: str
) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("2125550123,20260115,perhaps\n")
    monkeypatch.setenv("OUTDIAL_POSTGRES_DSN", postgres_dsn)
    monkeypatch.setenv("OUTDIAL_TOKEN_KEYS", "1:" + "ab" * 16)
    monkeypatch.setenv("OUTDIAL_SIGNING_KEY_FILE", "none")
    missing = str(tmp_path / "none.csv")
    for arguments, words in (
        ([str(answers)], "line 1: answer: want yes, no or no_data; nothing was imported"),
        ([missing], "none.csv: No such file or directory; nothing was imported"),
        ([str(answers), "--answered-at", "tomorrow"], "--answered-at: want"),
        ([str(answers), "--answered-at", "2999-01-01T00:00:00Z"], "--answered-at: want a time that is over"),
    ):
        assert cli.main(["reassigned", "import", *arguments], build_tools()) == 2
        said = capsys.readouterr().err
        assert words in said
        assert "2125550123" not in said
    assert cli.main(["reassigned", "export", "--out", str(tmp_path / "no" / "q.csv")], build_tools()) == 2
