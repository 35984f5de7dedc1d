"""What holds in every life of a conversation, whoever did what, and in which order."""

from __future__ import annotations

from collections import Counter, defaultdict
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from tests.domain.given import fold
from tests.domain.lives import Life, lives
from tests.domain.waiting import Waiting
from turnlog.domain import events
from turnlog.domain.codec import decode, encode
from turnlog.domain.conversation import Conversation, evolve

examined = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

Ending = events.ThinkingCompleted | events.MessageCompleted | events.ToolCallRequested


@given(lives())
@examined
def test_offsets_rise_by_one(life: Life) -> None:
    state = Conversation()
    for offset, entry in enumerate(life.log, start=1):
        state = evolve(state, entry.fact)
        assert state.offset == offset


@given(lives())
@examined
def test_an_items_deltas_add_up_to_its_ending(life: Life) -> None:
    texts: defaultdict[int, str] = defaultdict(str)
    outputs: defaultdict[int, str] = defaultdict(str)
    for _, fact in life.facts:
        if isinstance(fact, events.ToolCallOutputDelta):
            outputs[fact.item] += fact.delta
        elif isinstance(fact, events.Delta):
            texts[fact.item] += fact.delta
        elif isinstance(fact, events.ThinkingCompleted | events.MessageCompleted):
            assert fact.text == texts[fact.item]
        elif isinstance(fact, events.ToolCallRequested):
            assert fact.arguments == texts[fact.item]
        elif isinstance(fact, events.ToolCallCompleted):
            assert fact.output == outputs[fact.item]


@given(lives())
@examined
def test_an_item_has_one_ending_and_a_call_one_result_before_its_turn_ends(life: Life) -> None:
    items: dict[int, UUID] = {}
    calls: dict[int, UUID] = {}
    for offset, fact in life.facts:
        if isinstance(fact, events.Started):
            items[offset] = fact.turn_id
        elif isinstance(fact, Ending):
            assert items.pop(fact.item) == fact.turn_id
            if isinstance(fact, events.ToolCallRequested):
                calls[fact.item] = fact.turn_id
        elif isinstance(fact, events.ToolCallCompleted):
            assert calls.pop(fact.item) == fact.turn_id
        elif isinstance(fact, events.TurnEnded):
            assert fact.turn_id not in items.values()
            assert fact.turn_id not in calls.values()


@given(lives())
@examined
def test_an_ending_is_of_the_kind_of_its_beginning(life: Life) -> None:
    started = {offset: fact for offset, fact in life.facts if isinstance(fact, events.Started)}
    ends = {
        events.ThinkingCompleted: events.ThinkingStarted,
        events.MessageCompleted: events.MessageStarted,
        events.ToolCallRequested: events.ToolCallStarted,
    }
    for _, fact in life.facts:
        if isinstance(fact, Ending):
            assert type(started[fact.item]) is ends[type(fact)]
        if isinstance(fact, events.ToolCallRequested | events.ToolCallCompleted):
            beginning = started[fact.item]
            assert isinstance(beginning, events.ToolCallStarted)
            assert beginning.call_id == fact.call_id == f"call_{fact.item}"


@given(lives())
@examined
def test_one_turn_runs_at_a_time_in_the_order_of_queueing(life: Life) -> None:
    queue: list[UUID] = []
    running: UUID | None = None
    for _, fact in life.facts:
        if isinstance(fact, events.TurnQueued):
            queue.insert(0 if fact.on_busy == "interrupt" else len(queue), fact.turn_id)
        elif isinstance(fact, events.TurnStarted):
            assert running is None
            running = queue.pop(0)
            assert running == fact.turn_id
        elif isinstance(fact, events.TurnEnded) and fact.turn_id == running:
            running = None
        elif isinstance(fact, events.TurnEnded):
            queue.remove(fact.turn_id)
    assert (life.state.running and life.state.running.turn_id) == running
    assert [turn.turn_id for turn in life.state.queue] == queue


@given(lives())
@examined
def test_a_turn_waits_only_while_another_runs(life: Life) -> None:
    state = Conversation()
    for entry, following in zip(life.log, (*life.log[1:], None), strict=True):
        state = evolve(state, entry.fact)
        if following is None or following.append != entry.append:
            assert state.running is not None or not state.queue


@given(lives())
@examined
def test_nothing_of_a_turn_comes_after_its_last_event(life: Life) -> None:
    turn_of: dict[int, UUID] = {}
    ended: set[UUID] = set()
    for offset, fact in life.facts:
        turn = turn_of[fact.item] if isinstance(fact, events.Delta) else _turn(fact)
        assert turn not in ended
        if isinstance(fact, events.Started):
            turn_of[offset] = fact.turn_id
        if isinstance(fact, events.TurnEnded):
            ended.add(fact.turn_id)


@given(lives())
@examined
def test_nothing_comes_after_the_conversation_was_deleted(life: Life) -> None:
    kinds = [type(fact) for _, fact in life.facts]
    if events.ConversationDeleted in kinds:
        assert kinds.index(events.ConversationDeleted) == len(kinds) - 1


@given(lives())
@examined
def test_time_stands_within_an_append_and_rises_from_one_to_the_next(life: Life) -> None:
    moments: dict[int, set[str]] = {}
    for entry in life.log:
        if entry.fact is not None and not isinstance(entry.fact, events.Delta):
            moments.setdefault(entry.append, set()).add(entry.fact.at)
    times = [at for append in sorted(moments) for at in moments[append]]
    assert times == sorted(set(times))
    assert len(times) == len(moments)


@given(lives())
@examined
def test_replaying_what_is_stored_gives_the_state_that_was_live(life: Life) -> None:
    stored = [None if entry.fact is None else encode(entry.fact) for entry in life.log]
    assert fold(*(decode(*state) if state else None for state in stored)) == life.state


@given(lives())
@examined
def test_without_the_deltas_only_open_texts_are_missing(life: Life) -> None:
    state = Conversation()
    for offset, fact in life.facts:
        if not isinstance(fact, events.Delta):
            state = evolve(replace(state, offset=offset - 1), fact)
    assert _without_texts(replace(state, offset=life.state.offset)) == _without_texts(life.state)


@given(lives())
@examined
def test_a_fact_of_a_later_release_moves_the_offset_only(life: Life) -> None:
    assert evolve(life.state, None) == replace(life.state, offset=life.state.offset + 1)


@given(lives())
@examined
def test_a_turns_end_tells_what_all_its_tries_cost(life: Life) -> None:
    spent: Counter[UUID] = Counter()
    for _, fact in life.facts:
        if isinstance(fact, events.StepCompleted | events.AttemptSuperseded) and fact.usage:
            spent[fact.turn_id] += fact.usage.input_tokens
        if isinstance(fact, events.TurnCompleted):
            assert fact.usage.input_tokens == spent[fact.turn_id]
        if isinstance(fact, events.TurnFailed | events.TurnCancelled):
            assert fact.usage.input_tokens >= spent[fact.turn_id]


@given(lives())
@examined
def test_attempts_rise_by_one(life: Life) -> None:
    attempts: dict[UUID, int] = {}
    for _, fact in life.facts:
        if isinstance(fact, events.TurnStarted | events.TurnResumed):
            assert fact.attempt == attempts.get(fact.turn_id, 0) + 1
            attempts[fact.turn_id] = fact.attempt


@given(lives())
@examined
def test_a_cancelled_turn_was_asked_to_stop(life: Life) -> None:
    """By the first who asked; or with its conversation, which goes on only to be deleted."""
    asked: dict[UUID, events.TurnCancelRequested] = {}
    deleted = any(isinstance(fact, events.ConversationDeleted) for _, fact in life.facts)
    for _, fact in life.facts:
        if isinstance(fact, events.TurnCancelRequested):
            assert fact.turn_id not in asked
            asked[fact.turn_id] = fact
        if isinstance(fact, events.TurnCancelled) and not deleted:
            assert (fact.by, fact.reason) == (asked[fact.turn_id].by, asked[fact.turn_id].reason)


@given(lives())
@examined
def test_calls_wait_for_what_they_want_and_turns_for_their_calls(life: Life) -> None:
    waiting = Waiting()
    for _, fact in life.facts:
        waiting.hear(fact)


@given(lives())
@examined
def test_a_turn_that_rests_is_nobodys_and_all_its_calls_wait(life: Life) -> None:
    state, told = Conversation(), set[events.WantedCall]()
    for entry, following in zip(life.log, (*life.log[1:], None), strict=True):
        state = evolve(state, entry.fact)
        turn = state.running
        if isinstance(entry.fact, events.TurnRequiresAction):
            told = set(entry.fact.calls)
        whole = following is None or following.append != entry.append
        if whole and turn is not None and turn.resting:
            assert turn.node == ""
            assert turn.expires_at is not None
            assert turn.calls
            assert [call.item for call in turn.wanted] == list(turn.calls)
            assert told >= set(turn.wanted), "and whoever follows the log knows for what"


@given(lives())
@examined
def test_an_answer_was_not_superseded(life: Life) -> None:
    answers: defaultdict[UUID, list[int]] = defaultdict(list)
    for _, fact in life.facts:
        if isinstance(fact, events.MessageCompleted) and not fact.partial:
            answers[fact.turn_id].append(fact.item)
        if isinstance(fact, events.AttemptSuperseded):
            said = answers[fact.turn_id]
            answers[fact.turn_id] = [item for item in said if item < fact.from_offset]
        if isinstance(fact, events.TurnCompleted):
            last = answers[fact.turn_id][-1:]
            assert ([fact.result.item] if fact.result else []) == last


def _turn(fact: object) -> UUID | None:
    turn_id: UUID | None = getattr(fact, "turn_id", None)
    return turn_id


def _without_texts(state: Conversation) -> Conversation:
    turn = state.running
    if turn is None:
        return state
    items = {offset: replace(item, text=None) for offset, item in turn.items.items()}
    calls = {offset: replace(call, output=None) for offset, call in turn.calls.items()}
    return replace(state, running=replace(turn, items=items, calls=calls))
