"""A consumer that is stuck is told from one that has nothing to read, is held up by the broker, or works."""

from __future__ import annotations

import pytest

from outdial_runtime.broker import TopicPartition
from outdial_runtime.progress import ASK_SECONDS, STUCK_SECONDS, Progress, Stuck, unread

MARK = {"call.ended[1]@17"}
ENDS = {TopicPartition("call.ended", 0): 9, TopicPartition("call.ended", 1): 18}
TOPICS = {"call.ended": "blue.call.ended"}


def statistics(join_state: str = "steady", **offsets: int) -> dict[str, object]:
    partitions = {number.removeprefix("p"): {"next_offset": offset} for number, offset in offsets.items()}
    return {"topics": {"blue.call.ended": {"partitions": partitions}}, "cgrp": {"join_state": join_state}}


def test_nothing_is_asked_while_messages_come() -> None:
    progress = Progress(0.0)
    progress.moved(10.0)
    assert not progress.must_ask(10.0 + ASK_SECONDS - 0.1)
    assert progress.must_ask(10.0 + ASK_SECONDS)


def test_records_that_stay_unread_end_the_consumer_and_say_where() -> None:
    progress = Progress(0.0)
    progress.seen(MARK, 5.0)
    progress.seen(MARK, 5.0 + STUCK_SECONDS - 0.1)
    with pytest.raises(Stuck, match=r"no message for 30 s while 1 wait, first call.ended\[1\]@17"):
        progress.seen(MARK, 5.0 + STUCK_SECONDS)


def test_it_is_in_doubt_once_a_second_question_finds_the_same_but_not_at_the_first() -> None:
    progress = Progress(0.0)
    progress.seen(MARK, 5.0)
    assert progress.doubt(5.1) is None
    progress.seen(MARK, 10.0)
    assert progress.doubt(10.0) == "records lie unread and none comes"


def test_one_message_is_enough_to_begin_anew() -> None:
    progress = Progress(0.0)
    progress.seen(MARK, 5.0)
    progress.moved(20.0)
    assert progress.doubt(20.0) is None
    progress.seen(MARK, 5.0 + STUCK_SECONDS)


def test_fetches_that_get_on_are_progress_without_a_message() -> None:
    """Aborted records and the marks of transactions are passed over in silence."""
    progress = Progress(0.0)
    for second in range(5, 100, 5):
        progress.seen({f"call.ended[1]@{second}"}, float(second))
    assert progress.doubt(95.0) is None


def test_broker_that_does_not_answer_is_not_the_consumers_fault() -> None:
    progress = Progress(0.0)
    progress.seen(MARK, 5.0)
    progress.seen((), 15.0)
    progress.seen(MARK, 36.0)


def test_fetched_to_the_end_is_nothing_unread() -> None:
    assert unread(statistics(p0=9, p1=18), TOPICS, ENDS, True) == set()


def test_records_beyond_what_was_fetched_are_unread() -> None:
    assert unread(statistics(p0=9, p1=17), TOPICS, ENDS, True) == MARK


def test_partition_whose_beginning_is_unknown_is_unread_unless_it_is_empty() -> None:
    """As while OffsetFetch is not answered: librdkafka's INVALID is -1001."""
    told = statistics(p0=-1001, p1=18)
    assert unread(told, TOPICS, ENDS, True) == {"call.ended[0]@-1001"}
    assert unread(told, TOPICS, {TopicPartition("call.ended", 0): 0}, True) == set()


def test_member_that_the_group_does_not_know_is_stuck_though_it_owns_nothing() -> None:
    assert unread(statistics("wait-join"), TOPICS, {}, True) == {"group wait-join"}
    assert unread(statistics("init"), TOPICS, {}, False) == set()
