"""Nodes that share one log: each decides upon what it remembers, and appends if it still stands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from tests.domain import ask
from tests.domain.auditor import Auditor
from turnlog.domain.commands import (
    Command,
    CompleteStep,
    DecideCalls,
    ExpireTurn,
    ProvideResults,
    RestTurn,
    ResumeTurn,
    RetryStep,
    RunnerCommand,
)
from turnlog.domain.commands import StartStep as Begin
from turnlog.domain.conversation import Conversation, evolve
from turnlog.domain.decisions import decide
from turnlog.domain.errors import CallNotOpen, ConversationBusy, TurnSuperseded
from turnlog.domain.events import Fact
from turnlog.domain.turn import OpenCall, RunningTurn
from turnlog.domain.values import Usage, Verdict, timestamp

# Where the calls of each tool run, and what that takes.
TOOLS: dict[str, dict[str, Any]] = {
    "shell": {},
    "readFile": {"repeatable": True},
    "weather": {"runs_on": "client"},
    "deploy": {"approval": "required"},
    "book": {"runs_on": "client", "approval": "required"},
}
REPEATABLE = frozenset(name for name, terms in TOOLS.items() if "repeatable" in terms)
MAX_STEPS = 4


class Log:
    """One log; an append is taken only at its end."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.state = Conversation()
        self.auditor = Auditor()

    def append(self, node: str, flight: Flight) -> bool:
        """Whether the append landed."""
        if flight.expected != len(self.facts):
            return False
        command, turn = flight.command, self.state.running
        if isinstance(command, RunnerCommand | ResumeTurn):
            assert turn is not None, "what is not running has no owner"
            assert (turn.turn_id, turn.attempt) == (command.turn_id, command.attempt)
            assert isinstance(command, ResumeTurn) or turn.node == node
            assert not turn.resting, "nobody speaks for a turn that rests"
        if isinstance(command, ExpireTurn):
            assert turn is not None, "it rests"
            assert turn.resting
            assert turn.expires_at is not None
            assert turn.expires_at <= timestamp(command.at)
        for fact in flight.facts:
            self.facts.append(fact)
            self.state = evolve(self.state, fact)
            self.auditor.hear(len(self.facts), fact)
        assert self.state.offset == len(self.facts)
        if isinstance(command, ResumeTurn) and self.state.running is not None:
            assert self.state.running.node == node, "who claims a turn goes on with it"
        after = self.state.running
        if turn is not None and after is not None and after.turn_id == turn.turn_id:
            woken = turn.resting and not after.resting
            assert not woken or isinstance(command, ProvideResults | DecideCalls)
            assert not woken or (after.node, after.attempt) == (node, turn.attempt + 1)
        assert after is None or (after.node == "") == after.resting, "that is nobody's, no other"
        return True


class Flight(Struct):
    """An append on its way; `landed` is None until the database has decided."""

    command: Command
    expected: int
    facts: list[Fact]
    landed: bool | None = None


class Runner(Struct):
    """What one attempt of a turn knows besides the log."""

    turn_id: UUID
    attempt: int
    in_step: bool = False
    ran: set[str] = set()


class Node:
    """One node's memory of the conversation, which others may have moved on."""

    def __init__(self, name: str, log: Log, clock: Callable[[], int]) -> None:
        self.name = name
        self.is_alive = True
        self.is_awake = True
        self.flight: Flight | None = None
        self.runner: Runner | None = None
        self.state = Conversation()
        self._log = log
        self._clock = clock

    def look(self) -> None:
        """Read what others have written."""
        for fact in self._log.facts[self.state.offset :]:
            self.state = evolve(self.state, fact)
        self._moved()

    def ask(self, command: Command) -> None:
        """Decide, and send what comes of it. If that is nothing, the memory must not be old."""
        assert self.flight is None, "one append is under way at a time"
        if not self.state.offset:
            self.look()
        while True:
            command = replace(command, at=self._clock())
            if isinstance(command, RestTurn | ProvideResults | DecideCalls):
                command = replace(command, expires_at=command.at + ask.PATIENCE)
            try:
                facts = decide(command, self.state)
            except (TurnSuperseded, ConversationBusy, CallNotOpen):
                facts = []
            if facts:
                self.flight = Flight(command, self.state.offset, facts)
                return
            if self.state.offset == len(self._log.facts):
                return
            self.look()

    def deliver(self) -> None:
        """The append arrives at the log, whether or not the node still lives to hear of it."""
        if self.flight is not None and self.flight.landed is None:
            self.flight.landed = self._log.append(self.name, self.flight)

    def settle(self) -> None:
        """Learn what became of the append; one that lost is decided anew."""
        self.deliver()
        flight, self.flight = self.flight, None
        if flight is None:
            return
        if not flight.landed:
            self.look()
            self.ask(flight.command)
            return
        for fact in flight.facts:
            self.state = evolve(self.state, fact)
        if self.runner is not None and isinstance(flight.command, Begin | CompleteStep | RetryStep):
            self.runner.in_step = isinstance(flight.command, Begin)
        self._moved()

    def work(self, choice: int, text: str) -> None:
        """The runner's next deed, one of those that its memory allows."""
        turn, runner = self.state.running, self.runner
        if turn is None or runner is None:
            return
        deeds = self._deeds(turn, runner, text)
        deeds[choice % len(deeds)]()

    def _deeds(self, turn: RunningTurn, runner: Runner, text: str) -> list[Callable[[], None]]:
        mine: dict[str, Any] = {"turn_id": turn.turn_id, "attempt": turn.attempt}
        cost = Usage(input_tokens=len(text))
        if turn.cancel is not None:
            return self._one_of(ask.acknowledge_cancel(cost, **mine))
        if runner.in_step:
            numbers = [n for n, item in enumerate(turn.step_items) if item in turn.items]
            new = len(turn.step_items)
            complete: list[Command] = [
                ask.complete_item(
                    number, **mine, **TOOLS.get(turn.items[turn.step_items[number]].name, {})
                )
                for number in numbers
            ]
            return self._one_of(
                *[*complete, ask.complete_step(cost, **mine)] * 3,
                ask.start_item(new, "message", **mine),
                *(ask.start_item(new, "tool_call", name, **mine) for name in TOOLS),
                *(ask.append_text(text, number, **mine) for number in numbers),
                ask.retry_step(usage=cost, **mine),
            )
        if turn.calls and len(turn.wanted) == len(turn.calls):
            return self._one_of(ask.rest(**mine))
        if turn.calls:
            return [
                deed
                for item, call in turn.calls.items()
                if call.wants is None
                for deed in self._deeds_of(item, call, turn, runner, text)
            ]
        if turn.step >= MAX_STEPS:
            return self._one_of(ask.fail_turn(ask.GIVEN_UP, cost, **mine))
        if turn.wants_step:
            return self._one_of(ask.start_step(**mine))
        return self._one_of(ask.complete_turn(**mine))

    def _deeds_of(
        self, item: int, call: OpenCall, turn: RunningTurn, runner: Runner, text: str
    ) -> list[Callable[[], None]]:
        """What can be done for a call: the tool is started, speaks, and is done."""
        mine: dict[str, Any] = {"turn_id": turn.turn_id, "attempt": turn.attempt}

        def execute() -> None:
            runner.ran.add(call.call_id)
            self._log.auditor.executed(item, call.call_id, call.name in REPEATABLE, runner.attempt)

        if call.call_id not in runner.ran and not call.partial:
            return [execute]
        return self._one_of(
            ask.complete_call(call.call_id, **mine), ask.append_output(call.call_id, text, **mine)
        )

    def _one_of(self, *commands: Command) -> list[Callable[[], None]]:
        return [partial(self.ask, command) for command in commands]

    def _moved(self) -> None:
        """A turn that is this node's has a runner; one that is another's, or has ended, none."""
        turn, runner = self.state.running, self.runner
        if turn is None or turn.node != self.name:
            self.runner = None
        elif runner is None or (runner.turn_id, runner.attempt) != (turn.turn_id, turn.attempt):
            self.runner = Runner(turn.turn_id, turn.attempt)


def answer(turn: RunningTurn, number: int, node: str) -> Command | None:
    """An answer to one of the calls that wait, or to all of a kind; None where none waits."""
    if not turn.wanted:
        return None
    chosen = turn.wanted[number % len(turn.wanted)]
    others = [call for call in turn.wanted if call.kind == chosen.kind and call != chosen]
    answered = [chosen, *(others if number % 3 == 0 else [])]
    if chosen.kind == "result":
        results = [ask.result(call.call_id, "r" * (number % 3)) for call in answered]
        return ask.provide(*results, turn=turn.turn_id, node=node)
    verdicts = [_VERDICTS[(number + place) % len(_VERDICTS)] for place in range(len(answered))]
    decisions = [
        ask.decision(call.call_id, verdict)
        for call, verdict in zip(answered, verdicts, strict=True)
    ]
    return ask.decide_calls(*decisions, turn=turn.turn_id, node=node)


_VERDICTS: tuple[Verdict, ...] = ("allow", "deny", "allow", "allowForTurn")


def claim(turn: RunningTurn, node: str) -> ResumeTurn:
    """The command to take a turn over, as its row in the table of turns tells it."""
    return ask.resume(turn.attempt, turn.turn_id, node)
