"""What was said, in the order in which it makes sense."""

from __future__ import annotations

from hypothesis import given

from tests.projections.logs import Log, logs, patient
from turnlog.domain.values import ImagePart, TextPart
from turnlog.projections.history import blobs_of, history


def said(log: Log) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in history(log.facts)]


def test_each_question_is_followed_by_its_own_answer() -> None:
    log = Log().created()
    first = log.asked("one?")
    second = log.queued("two?")
    log.turn = first
    log.completed(log.message("One."))
    log.started(second)
    log.completed(log.message("Two."))
    assert said(log) == [
        ("user", "one?"),
        ("assistant", "One."),
        ("user", "two?"),
        ("assistant", "Two."),
    ]


def test_a_turn_that_went_ahead_of_the_queue_stands_ahead() -> None:
    log = Log().created()
    first = log.asked("one?")
    second = log.queued("two?")
    third = log.queued("no, three!")
    log.turn = first
    log.cancelled().started(third)
    log.completed(log.message("Three."))
    assert said(log)[1:] == [("user", "no, three!"), ("assistant", "Three."), ("user", "two?")]
    assert [message.turn_id for message in history(log.facts)][-1] == second


def test_a_turn_cancelled_in_the_queue_stands_where_it_was_cancelled() -> None:
    log = Log().created()
    first = log.asked("one?")
    second = log.queued("never mind")
    log.cancelled(second)
    log.turn = first
    log.completed(log.message("One."))
    log.asked("two?")
    assert [text for _, text in said(log)] == ["one?", "One.", "never mind", "two?"]


def test_a_message_is_known_by_the_offset_of_the_event_that_has_its_text() -> None:
    log = Log().created()
    turn = log.asked("one?")
    log.message("One.")
    user, assistant = history(log.facts)
    assert (user.offset, assistant.offset) == (2, 6)
    assert user.turn_id == assistant.turn_id == turn


def test_a_steering_message_stands_where_it_was_accepted() -> None:
    log = Log().created()
    log.asked("one?")
    log.message("Well,")
    log.steered("in French!")
    log.message("Un.")
    assert [text for _, text in said(log)] == ["one?", "Well,", "in French!", "Un."]


def test_superseded_messages_are_left_out_and_what_the_user_said_is_kept() -> None:
    log = Log().created()
    log.asked("one?")
    log.message("Let me see.")
    from_offset = log.message("O")
    log.steered("quick!")
    log.superseded(from_offset)
    log.message("One.")
    assert [text for _, text in said(log)] == ["one?", "Let me see.", "quick!", "One."]


def test_the_beginning_of_an_answer_counts_unless_it_is_blank() -> None:
    log = Log().created()
    log.asked("one?")
    log.message(" \n", partial=True)
    log.message("On", partial=True)
    log.cancelled()
    assert said(log) == [("user", "one?"), ("assistant", "On")]


def test_the_texts_of_a_message_are_lines_and_its_images_leave_none() -> None:
    log = Log().created()
    log.queued("look:", ImagePart(blob="f00", media_type="image/png", bytes=3), "what is it?")
    assert said(log) == [("user", "look:\nwhat is it?")]


def test_a_long_text_comes_from_beside_the_log() -> None:
    log = Log().created()
    log.queued(TextPart(blob="abc", media_type="text/plain", bytes=6))
    assert blobs_of(log.facts) == {"abc"}
    (message,) = history(log.facts, {"abc": "été".encode()})
    assert message.content == "été"


@patient
@given(logs())
def test_every_turn_begins_with_its_question_and_turns_do_not_mix(log: Log) -> None:
    messages = history(log.facts)
    turns = list(dict.fromkeys(message.turn_id for message in messages))
    assert len(turns) == log.turns
    for turn in turns:
        mine = [message for message in messages if message.turn_id == turn]
        assert mine[0].role == "user"
    assert [message.turn_id for message in messages] == sorted(
        (message.turn_id for message in messages), key=turns.index
    )
