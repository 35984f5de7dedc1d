"""Random lives of a conversation, and the logs that come of them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from msgspec import Struct

from tests.domain import ask
from tests.domain.moves import Move, deed
from turnlog.domain.commands import Command
from turnlog.domain.conversation import Conversation, evolve
from turnlog.domain.decisions import decide
from turnlog.domain.errors import TurnlogError
from turnlog.domain.events import Fact


class Written(Struct, frozen=True):
    """One entry of the log: its fact (None: of a later release) and the append it came with."""

    fact: Fact | None
    append: int


class Life(Struct, frozen=True):
    log: tuple[Written, ...]
    state: Conversation

    @property
    def facts(self) -> list[tuple[int, Fact]]:
        """The facts that are known, with their offsets."""
        entries = enumerate(self.log, start=1)
        return [(offset, entry.fact) for offset, entry in entries if entry.fact is not None]


def lives() -> st.SearchStrategy[Life]:
    moves = st.builds(
        Move,
        choice=st.integers(0, 999_999),
        text=st.text(max_size=6),
        lag=st.integers(-3, 5),
    )
    short, long = st.lists(moves, max_size=10), st.lists(moves, min_size=40, max_size=60)
    from_nothing, from_a_rest = (short | long | long).map(live), (short | long).map(live_on)
    return from_nothing | from_nothing | from_a_rest


def live_on(moves: Sequence[Move]) -> Life:
    """A life that goes on from where a turn rests."""
    return live(moves, _TO_REST)


_CALLS = ("tool", "tool", "other", "third")
_TO_REST: tuple[Command, ...] = (
    ask.submit(),
    ask.start_step(),
    *(ask.start_item(number, "tool_call", name) for number, name in enumerate(_CALLS)),
    ask.complete_item(0, approval="required"),
    ask.complete_item(1, approval="required"),
    ask.complete_item(2, runs_on="client"),
    ask.complete_item(3, runs_on="client", approval="required"),
    ask.complete_step(stop_reason="tool_use"),
    ask.rest(),
)


def live(moves: Sequence[Move], before: Sequence[Command] = ()) -> Life:
    """The life that comes of some moves; what is refused leaves nothing."""
    now = ask.NOW
    log: list[Written] = []
    state = Conversation()
    for number, command in enumerate([ask.create(), *before]):
        for fact in decide(command, state):
            log.append(Written(fact, number))
            state = evolve(state, fact)
    for number, move in enumerate(moves, start=len(before) + 1):
        now += move.lag
        for made in _made(move, state, now, number):
            log.append(Written(made, number))
            state = evolve(state, made)
    return Life(tuple(log), state)


def _made(move: Move, state: Conversation, now: int, number: int) -> Sequence[Fact | None]:
    done = deed(move, state, now, number)
    if done is None:
        return (None,)
    try:
        return decide(done, state)
    except TurnlogError:
        return ()
