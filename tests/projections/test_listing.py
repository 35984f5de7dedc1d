"""The list's view of a conversation."""

from __future__ import annotations

import json

from hypothesis import given

from tests.projections.logs import CONVERSATION, EPOCH, USAGE, Log, logs, moment, patient
from turnlog.domain.values import Configuration
from turnlog.projections import listing
from turnlog.projections.listing import ConversationView, Listing


def folded(log: Log) -> Listing:
    listed: Listing | None = None
    for _, fact in log.facts:
        listed = listing.fold(listed, fact)
    assert listed is not None
    return listed


def view(log: Log) -> ConversationView:
    return folded(log).view


def test_a_new_conversation_is_idle_and_was_updated_when_it_was_created() -> None:
    shown = json.loads(listing.row(folded(Log().created())).document)
    assert shown == {
        "conversationId": str(CONVERSATION),
        "createdAt": moment(1),
        "updatedAt": moment(1),
        "modelProviderId": "demo",
        "modelProviderApi": "script",
        "model": "small",
        "title": "A title",
        "summary": None,
        "parent": None,
        "tags": ["a", "b"],
        "agentRole": None,
        "instructions": None,
        "metadata": {},
        "reasoning": {"effort": "high"},
        "maxOutputTokens": None,
        "temperature": None,
        "tools": None,
        "status": "idle",
        "usage": {
            "inputTokens": 0,
            "outputTokens": 0,
            "cachedInputTokens": 0,
            "cacheWriteTokens": 0,
            "reasoningTokens": 0,
            "estimated": False,
        },
    }


def test_the_view_shows_the_whole_configuration() -> None:
    assert set(Configuration.__struct_fields__) < set(ConversationView.__struct_fields__)


def test_an_update_changes_what_it_names_and_moves_the_clock() -> None:
    shown = view(Log().created().updated(title=None, tags=("c",)))
    assert (shown.title, shown.tags, shown.model) == (None, ("c",), "small")
    assert (shown.created_at, shown.updated_at) == (moment(1), moment(2))


def test_a_conversation_runs_from_the_acceptance_of_a_message_to_the_end_of_its_turn() -> None:
    log = Log().created()
    log.queued("hello")
    assert view(log).status == "running"
    assert view(log.started()).status == "running"
    assert view(log.completed()).status == "idle"


def test_a_conversation_runs_on_while_another_turn_waits() -> None:
    log = Log().created()
    first = log.asked("one")
    second = log.queued("two")
    log.turn = first
    assert view(log.completed()).status == "running"
    assert view(log.started(second).failed()).status == "idle"


def test_a_turn_that_is_cancelled_in_the_queue_leaves_the_running_one_as_it_is() -> None:
    log = Log().created()
    log.asked("one")
    item = log.requested(client=True)
    log.requires(result=item)
    second = log.queued("two")
    assert view(log.cancelled(second)).status == "requires_action"


def test_it_requires_action_until_the_last_call_has_its_answer() -> None:
    log = Log().created()
    log.asked("go on")
    one, two = log.requested(client=True), log.requested("shell", approval=True)
    assert view(log.requires(result=one, approval=two)).status == "requires_action"
    assert view(log.output(one, "1")).status == "requires_action"
    assert view(log.approved(two)).status == "running"


def test_usage_is_that_of_the_turns_that_have_ended() -> None:
    log = Log().created()
    log.asked("one")
    log.completed()
    log.asked("two")
    log.step().step_completed()
    assert view(log).usage == USAGE
    assert view(log.cancelled()).usage == USAGE + USAGE


def test_what_goes_on_within_a_step_leaves_the_row_alone() -> None:
    log = Log().created()
    log.asked("hello")
    before = listed = folded(log)
    log.step()
    log.thought("hm")
    log.message("Hello.")
    log.step_completed()
    for _, fact in log.facts[3:]:
        listed = listing.fold(listed, fact)
    assert listed is before


def test_the_row_has_what_the_list_asks_for_in_columns() -> None:
    log = Log().created().updated(agent_role="critic")
    row = listing.row(folded(log))
    assert (row.created_at, row.updated_at) == (EPOCH + 1, EPOCH + 2)
    assert (row.status, row.agent_role, row.tags) == ("idle", "critic", ("a", "b"))
    assert not row.deleted


def test_a_deleted_conversation_keeps_its_row() -> None:
    row = listing.row(folded(Log().created().deleted()))
    assert row.deleted
    assert json.loads(row.document)["updatedAt"] == moment(2)


@patient
@given(logs())
def test_a_conversation_is_idle_when_all_of_its_turns_have_ended(log: Log) -> None:
    listed = folded(log)
    assert (listed.view.status, listed.unfinished, listed.wanted) == ("idle", (), ())
    assert listed.view.updated_at == moment(len(log.facts))
