"""Creating, changing and deleting a conversation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from tests.domain import ask, fact
from tests.domain.given import fold, given
from turnlog.domain.conversation import Conversation
from turnlog.domain.decisions import decide
from turnlog.domain.errors import InvalidChange, NotFound
from turnlog.domain.values import timestamp


def test_a_conversation_begins_with_its_whole_configuration() -> None:
    members = {"title": "Tea", "tags": ("a", "b"), "metadata": {"k": "v"}, "temperature": 0.5}
    given().when(ask.create(**members)).then(fact.created(**members))


def test_a_conversation_is_created_once() -> None:
    given(fact.created()).when(ask.create()).refused(InvalidChange, "exists already")


def test_an_update_tells_only_what_changed() -> None:
    given(fact.created(title="Tea")).when(ask.update(tags=("a",))).then(fact.updated(tags=("a",)))


def test_a_member_can_be_set_to_nothing() -> None:
    given(fact.created(title="Tea")).when(ask.update(title=None)).then(fact.updated(title=None))


def test_what_an_update_does_not_name_stays() -> None:
    state = fold(fact.created(title="Tea", tags=("a",)), fact.updated(title=None, summary="Short"))
    assert state.configuration == ask.configuration(title=None, tags=("a",), summary="Short")


def test_an_update_that_names_nothing_is_refused() -> None:
    given(fact.created()).when(ask.update()).refused(InvalidChange, "names no member")


def test_the_model_is_changed_by_all_three_members() -> None:
    given(fact.created()).when(ask.update(**ask.OTHER_MODEL)).then(fact.updated(**ask.OTHER_MODEL))


@pytest.mark.parametrize("missing", ask.OTHER_MODEL)
def test_part_of_a_model_is_refused(missing: str) -> None:
    two: dict[str, Any] = {key: word for key, word in ask.OTHER_MODEL.items() if key != missing}
    one = dict(list(two.items())[:1])
    given(fact.created()).when(ask.update(**two)).refused(InvalidChange, "all three fields")
    given(fact.created()).when(ask.update(**one)).refused(InvalidChange, "all three fields")


def test_updates_cannot_add_up_to_more_than_one_event_could_hold() -> None:
    large = "x" * (100 * 1024)
    given(fact.created(instructions=large)).when(ask.update(summary=large)).refused(
        InvalidChange, "192 KiB in all"
    )


def test_a_running_turn_keeps_its_model_and_the_next_has_the_new_one() -> None:
    given(*fact.RUNNING).and_then(ask.update(**ask.OTHER_MODEL)).when(ask.start_step()).then(
        fact.step_started(model="gpt-5")
    )
    given(*fact.RUNNING).and_then(ask.update(**ask.OTHER_MODEL), ask.submit(ask.SECOND)).when(
        ask.complete_turn()
    ).then(fact.turn_completed(), fact.turn_started(ask.SECOND, **ask.OTHER_MODEL))


def test_a_deleted_conversation_says_so_last() -> None:
    given(fact.created()).when(ask.delete()).then(fact.deleted())


def test_deleting_closes_and_cancels_what_runs_and_what_waits_in_order() -> None:
    given(
        *fact.IN_STEP,
        fact.message_started(),
        fact.turn_queued(ask.SECOND),
        fact.turn_queued(ask.THIRD),
    ).when(ask.delete("alice")).then(
        fact.message_completed(fact.FIRST_ITEM, partial=True),
        fact.turn_cancelled(),
        fact.turn_cancelled(ask.SECOND),
        fact.turn_cancelled(ask.THIRD),
        fact.deleted(),
    )


def test_a_turn_cancelled_by_deleting_keeps_the_usage_of_its_steps() -> None:
    given(*fact.CALLED, fact.call_completed(fact.FIRST_ITEM)).when(ask.delete()).then(
        fact.turn_cancelled(usage=ask.USAGE), fact.deleted()
    )


@pytest.mark.parametrize("command", [ask.update(title="Tea"), ask.delete(), ask.submit()])
@pytest.mark.parametrize("facts", [(), (fact.created(), fact.deleted())], ids=["absent", "deleted"])
def test_nothing_can_be_done_to_what_is_not_there(facts: Any, command: Any) -> None:
    given(*facts).when(command).refused(NotFound, "There is no conversation")


def test_a_refusal_names_the_conversation() -> None:
    state = Conversation(conversation_id=UUID(int=7))
    with pytest.raises(NotFound, match="'00000000-0000-0000-0000-000000000007'"):
        decide(ask.delete(), state)


@pytest.mark.parametrize("clock", [0, -1, -3_600_000_000], ids=["stands", "slips", "jumps back"])
def test_time_goes_on_by_a_microsecond_when_the_clock_does_not(clock: int) -> None:
    (created,) = decide(ask.create(), Conversation())
    update = replace(ask.update(title="Tea"), at=ask.NOW + clock)
    assert decide(update, fold(created)) == [
        replace(fact.updated(title="Tea"), at=timestamp(ask.NOW + 1))
    ]
