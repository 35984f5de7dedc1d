"""What turns have cost, event by event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.domain import ask, fact
from tests.domain.lives import Life, lives
from turnlog.domain import events
from turnlog.domain.codec import encode
from turnlog.domain.commands import Command
from turnlog.domain.conversation import Conversation, evolve
from turnlog.domain.decisions import decide
from turnlog.domain.events import Fact
from turnlog.domain.records import Entry, FedEntry, OpenTurn, UsageEntry
from turnlog.domain.values import Usage, microseconds_of
from turnlog.projections.usage import count

examined = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

SPENT = Usage(input_tokens=7, output_tokens=1, reasoning_tokens=1, estimated=True)


def fed(facts: Sequence[tuple[int, Fact]]) -> list[FedEntry]:
    """The facts, as they come from the feed."""
    return [
        FedEntry(
            0,
            offset,
            ask.CONVERSATION,
            "acme",
            Entry(
                offset,
                *encode(made),
                getattr(made, "turn_id", None),
                microseconds_of(getattr(made, "at", "2026-01-01T00:00:00.000000Z")),
            ),
        )
        for offset, made in facts
    ]


def counted(found: Sequence[FedEntry], *cuts: int) -> list[UsageEntry]:
    """The costs, as they come out of several portions."""
    known: dict[UUID, OpenTurn] = {}
    entries: list[UsageEntry] = []
    for start, end in zip((0, *sorted(cuts)), (*sorted(cuts), len(found)), strict=True):
        after = count(known, found[start:end])
        entries += after.entries
        known = {turn_id: turn for turn_id, turn in after.turns.items() if turn is not None}
    return entries


def history(*asked: Command) -> list[FedEntry]:
    state, facts = Conversation(), list[tuple[int, Fact]]()
    for command in (ask.create(), ask.submit(), *asked):
        for made in decide(command, state):
            state = evolve(state, made)
            facts.append((state.offset, made))
    return fed(facts)


def plain(usage: Usage) -> tuple[int, ...]:
    return usage.input_tokens, usage.output_tokens, usage.reasoning_tokens


def test_a_step_is_counted_where_it_ends_and_a_turn_where_it_does() -> None:
    step, end = counted(history(ask.start_step(), ask.complete_step(), ask.complete_turn()))
    assert (step.usage, step.turns, step.superseded) == (ask.USAGE, 0, False)
    assert (end.usage, end.turns, end.superseded) == (Usage(), 1, False)
    assert step.model.model == end.model.model == ask.MODEL["model"]
    assert (step.tenant_id, step.conversation_id) == ("acme", ask.CONVERSATION)


def test_what_was_spent_in_vain_is_counted_and_marked() -> None:
    entries = counted(
        history(
            ask.start_step(),
            ask.retry_step(usage=SPENT),
            ask.start_step(),
            ask.complete_step(),
            ask.complete_turn(),
        )
    )
    assert [(entry.usage, entry.superseded) for entry in entries] == [
        (SPENT, True),
        (ask.USAGE, False),
        (Usage(), False),
    ]


def test_an_unfinished_step_is_what_the_end_tells_beyond_the_others() -> None:
    whole = ask.USAGE + SPENT
    *_, end = counted(
        history(
            ask.start_step(),
            ask.complete_step(stop_reason="pause_turn"),
            ask.start_step(),
            ask.fail_turn(fact.OVERLOADED, SPENT),
        )
    )
    assert plain(end.usage) == plain(SPENT)
    assert whole.estimated
    assert (end.usage.estimated, end.turns) == (True, 1)


def test_a_turn_that_never_began_costs_nothing_and_is_not_counted() -> None:
    entries = counted(history(ask.submit(ask.SECOND), ask.cancel(ask.SECOND)))
    assert entries == []


def test_what_a_fork_has_copied_was_paid_for_before() -> None:
    found = history(ask.start_step(), ask.complete_step(), ask.complete_turn())
    later = UUID(int=ask.CONVERSATION.int + (60_000 << 80))
    copies = [FedEntry(0, one.position, later, "acme", one.entry) for one in found]
    assert counted(copies) == []


@given(life=lives(), data=st.data())
@examined
def test_every_turn_s_entries_add_up_to_what_its_end_tells(life: Life, data: st.DataObject) -> None:
    """After any retries, takeovers and cancels, in whatever portions it is read."""
    found = fed(life.facts)
    cuts = data.draw(st.lists(st.integers(0, len(found)), max_size=4))
    entries = counted(found, *cuts)
    assert entries == counted(found)

    turn_of = {one.entry.offset: one.entry.turn_id for one in found}
    sums: defaultdict[UUID | None, Usage] = defaultdict(Usage)
    for entry in entries:
        sums[turn_of[entry.offset]] += entry.usage
    began = {made.turn_id for _, made in life.facts if isinstance(made, events.TurnStarted)}
    ends = [
        made
        for _, made in life.facts
        if isinstance(made, events.TurnEnded) and made.turn_id in began
    ]
    for end in ends:
        assert plain(sums[end.turn_id]) == plain(end.usage)
    assert sum(entry.turns for entry in entries) == len(ends)
    in_vain = [made.usage for _, made in life.facts if isinstance(made, events.AttemptSuperseded)]
    assert sum(usage.input_tokens for usage in in_vain if usage) == sum(
        entry.usage.input_tokens for entry in entries if entry.superseded
    )
