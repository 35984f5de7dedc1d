"""What is shown of turns that wait: the rows, the view and the list agree with what is decided."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from hypothesis import given

from tests.domain import ask
from tests.domain.lives import Life, lives
from tests.projections.logs import patient
from turnlog.domain import events
from turnlog.domain.conversation import Conversation, evolve
from turnlog.domain.events import Fact
from turnlog.domain.records import TurnRow
from turnlog.domain.values import microseconds_of
from turnlog.projections import listing
from turnlog.projections.levels import Levels
from turnlog.projections.listing import Listing
from turnlog.projections.turn_view import TurnView
from turnlog.projections.turns import fold_row, turn_status


class Moment:
    """What stands after one append: the state, and each projection of the log up to there."""

    def __init__(self, state: Conversation, facts: list[tuple[int, Fact]]) -> None:
        self.state = state
        self._facts = facts
        self.listing: Listing | None = None
        self.rows: dict[UUID, TurnRow] = {}
        for offset, fact in facts:
            self.listing = listing.fold(self.listing, fact)
            turn_id = getattr(fact, "turn_id", None)
            if turn_id is not None:
                row = fold_row(self.rows.get(turn_id), ask.CONVERSATION, offset, fact)
                if row is not None:
                    self.rows[turn_id] = row

    def view(self, turn_id: UUID) -> TurnView:
        mine = [each for each in self._facts if getattr(each[1], "turn_id", None) == turn_id]
        return turn_status(ask.CONVERSATION, mine, Levels("full", "full"))


def moments(life: Life) -> Iterator[Moment]:
    """After every append that may have moved a turn to its rest, or from it."""
    state = Conversation()
    facts: list[tuple[int, Fact]] = []
    for offset, (entry, following) in enumerate(
        zip(life.log, (*life.log[1:], None), strict=True), start=1
    ):
        state = evolve(state, entry.fact)
        if entry.fact is not None and not isinstance(entry.fact, events.Delta):
            facts.append((offset, entry.fact))
        if isinstance(entry.fact, _TELLING) and (
            following is None or following.append != entry.append
        ):
            yield Moment(state, list(facts))


_TELLING = (
    events.TurnRequiresAction
    | events.TurnResumed
    | events.ToolCallApproved
    | events.ToolCallDenied
    | events.ToolCallCompleted
    | events.TurnSteered
    | events.TurnEnded
    | events.TurnStarted
    | events.ConversationDeleted
)


@patient
@given(lives())
def test_a_turns_row_has_the_status_that_its_events_tell(life: Life) -> None:
    for moment in moments(life):
        for turn_id, row in moment.rows.items():
            assert row.status == moment.view(turn_id).status


@patient
@given(lives())
def test_a_row_says_of_the_turn_that_rests_that_it_is_nobodys_and_until_when(life: Life) -> None:
    for moment in moments(life):
        running = moment.state.running
        for turn_id, row in moment.rows.items():
            rests = running is not None and running.turn_id == turn_id and running.resting
            assert rests == (row.status == "requires_action") == (row.expires_at is not None)
            if rests:
                assert running is not None
                assert running.expires_at is not None
                assert (row.node, row.expires_at) == (None, microseconds_of(running.expires_at))


@patient
@given(lives())
def test_the_list_says_that_a_conversation_waits_while_its_turn_rests(life: Life) -> None:
    for moment in moments(life):
        assert moment.listing is not None
        rests = moment.state.running is not None and moment.state.running.resting
        assert (moment.listing.view.status == "requires_action") == rests


@patient
@given(lives())
def test_what_is_required_is_what_is_wanted_with_the_arguments_that_count(life: Life) -> None:
    for moment in moments(life):
        running = moment.state.running
        for turn_id in moment.rows:
            shown = moment.view(turn_id).required_action
            if running is None or running.turn_id != turn_id or not running.resting:
                assert shown is None
                continue
            assert shown is not None
            assert shown.expires_at == running.expires_at
            assert [(call.item, call.call_id, call.kind) for call in shown.calls] == [
                (call.item, call.call_id, call.kind) for call in running.wanted
            ]
            for call in shown.calls:
                assert call.name == running.calls[call.item].name
                edited = running.calls[call.item].arguments == '{"edited":true}'
                assert (call.input == {"edited": True}) == edited
