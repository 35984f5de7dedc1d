"""What of a conversation can be searched."""

from __future__ import annotations

from msgspec.structs import replace

from tests.domain import fact
from tests.domain.ask import TURN
from turnlog.domain.search import Say, Unsay, UnsayAll
from turnlog.domain.values import ImagePart, TextPart
from turnlog.projections.searching import changes


def named(part: str, text: str) -> Say:
    return Say(part=part, offset=0, turn_id=None, text=text)  # type: ignore[arg-type]


def test_a_title_and_a_summary_are_what_they_are_now() -> None:
    assert changes(1, fact.created(title="Tea")) == [named("title", "Tea"), named("summary", "")]
    assert changes(2, fact.updated(title="Coffee")) == [named("title", "Coffee")]
    assert changes(3, fact.updated(summary=None)) == [named("summary", "")]
    assert changes(4, fact.updated(tags=("a",))) == []


def test_a_message_is_found_where_its_text_stands() -> None:
    (said,) = changes(2, fact.turn_queued(text="Hello"))
    assert said == Say(part="user", offset=2, turn_id=TURN, text="Hello")
    (steered,) = changes(9, fact.turn_steered(text="Rather"))
    assert steered == Say(part="user", offset=9, turn_id=TURN, text="Rather")
    (answer,) = changes(7, fact.message_completed(5, "Tea"))
    assert answer == Say(part="assistant", offset=5, turn_id=TURN, text="Tea")


def test_long_texts_are_named_and_images_say_nothing() -> None:
    content = (TextPart(blob="a" * 64), ImagePart(blob="b" * 64), TextPart(text="and"))
    (said,) = changes(2, replace(fact.turn_queued(), content=content))
    assert said == Say(part="user", offset=2, turn_id=TURN, text="and", blobs=("a" * 64,))


def test_what_was_superseded_or_deleted_is_found_no_more() -> None:
    assert changes(8, fact.attempt_superseded(4)) == [Unsay(turn_id=TURN, from_offset=4)]
    assert changes(9, fact.deleted()) == [UnsayAll()]
    assert changes(9, fact.turn_completed()) == []
