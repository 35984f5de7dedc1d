"""What a log must say of itself: the one order in which a turn's events can stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from tests.chaos.logs import Log, Stored

ENDING_TEXT = {
    "thinking.completed": "text",
    "message.completed": "text",
    "tool_call.requested": "arguments",
}
TURN_ENDINGS = {"turn.completed", "turn.failed", "turn.cancelled"}
WHILE_IT_RESTS = {
    "turn.requires_action",
    "turn.resumed",
    "tool_call.approved",
    "tool_call.denied",
    "tool_call.output_delta",
    "tool_call.completed",
}
ALWAYS = {"turn.cancel_requested", "turn.steered", "turn.retrying"}


class Item(Struct):
    """An item of a step: its kind, the text of its deltas, and how it ended."""

    offset: int
    kind: str
    text: str = ""
    ended: bool = False
    partial: bool = False


class Call(Struct):
    """A call without a result: what it has said, and what it waits for.

    `wants` is `approval`, `result`, or nothing where the server may run it; `denied`: never.
    """

    text: str = ""
    wants: str = ""
    runs_on: str = "server"
    denied: bool = False


class Step(Struct):
    """A request to the model, as the log has it; `whole`: it was completed.

    `superseded` is when that was said of it, a time of day.
    """

    offset: int
    items: list[Item] = []
    whole: bool = False
    superseded: float = 0.0


class Turn(Struct):
    """A turn, as far as it was read."""

    turn_id: str
    attempt: int = 0
    ended: str = ""
    in_step: bool = False
    resting: bool = False
    open_calls: dict[int, Call] = field(default_factory=dict)
    steps: list[Step] = []


class Reader(Struct):
    """Reads a log from its beginning, and notes what could not have come there."""

    turns: dict[str, Turn] = field(default_factory=dict)
    running: str = ""
    items: dict[int, Item] = field(default_factory=dict)
    faults: list[str] = []

    def read(self, event: Stored) -> None:
        """The next event."""
        if not event.turn_id:
            return
        for fault in self._faults(event, event.payload):
            self.faults.append(f"{event.offset} {event.type}: {fault}")

    def _faults(self, event: Stored, said: dict[str, Any]) -> Iterator[str]:
        kind = event.type
        if kind == "turn.queued":
            if event.turn_id in self.turns:
                yield "the turn is there already"
            self.turns[event.turn_id] = Turn(event.turn_id)
            return
        turn = self.turns.get(event.turn_id)
        if turn is None or turn.ended:
            yield "the turn is not there" if turn is None else "the turn has ended"
            return
        if kind == "turn.started":
            if self.running:
                yield f"{self.running} runs"
            self.running, turn.attempt = event.turn_id, 1
        elif kind in TURN_ENDINGS and self.running != event.turn_id:
            turn.ended = kind
        elif kind != "turn.cancel_requested" and self.running != event.turn_id:
            yield "the turn does not run"
        elif kind in TURN_ENDINGS:
            yield from self._nothing_open(turn)
            self.running, turn.ended = "", kind
        elif kind not in ALWAYS:
            if turn.resting and kind not in WHILE_IT_RESTS:
                yield "the turn rests"
            yield from self._in_turn(turn, event, said)

    def _in_turn(self, turn: Turn, event: Stored, said: dict[str, Any]) -> Iterator[str]:
        match event.type:
            case "turn.requires_action":
                yield from self._comes_to_rest(turn, said)
            case "tool_call.approved" | "tool_call.denied":
                yield from self._is_decided(turn, event.type, said)
            case "step.started":
                if turn.in_step and turn.steps[-1].items:
                    yield "the step before has not ended"
                yield from self._nothing_open(turn)
                turn.in_step = True
                turn.steps.append(Step(event.offset))
            case "step.completed":
                if not turn.in_step:
                    yield "no step is under way"
                    return
                if any(not item.ended for item in turn.steps[-1].items):
                    yield "an item is open"
                turn.in_step, turn.steps[-1].whole = False, True
            case "attempt.superseded":
                if not turn.in_step or said["fromOffset"] != turn.steps[-1].offset:
                    yield "that is not the step under way"
                yield from self._nothing_open(turn)
                turn.in_step, turn.steps[-1].superseded = False, event.at
            case "turn.resumed":
                if said["attempt"] != turn.attempt + 1:
                    yield f"attempt {said['attempt']} follows {turn.attempt}"
                turn.attempt = said["attempt"]
                if (
                    turn.resting
                    and turn.open_calls
                    and all(call.wants for call in turn.open_calls.values())
                ):
                    yield "there is nothing to go on with"
                turn.resting = False
                if turn.in_step and turn.steps[-1].items:
                    yield "the step before has not ended"
            case "thinking.started" | "message.started" | "tool_call.started":
                if not turn.in_step:
                    yield "no step is under way"
                    return
                item = Item(event.offset, event.type.partition(".")[0])
                turn.steps[-1].items.append(item)
                self.items[event.offset] = item
            case "tool_call.output_delta":
                if said["item"] not in turn.open_calls:
                    yield "the call is not open"
                    return
                turn.open_calls[said["item"]].text += said["delta"]
            case "tool_call.completed":
                yield from self._is_done(turn, said)
            case _:
                yield from self._of_item(turn, event, said)

    def _of_item(self, turn: Turn, event: Stored, said: dict[str, Any]) -> Iterator[str]:
        item = self.items.get(said["item"])
        if item is None or item.ended or not turn.in_step or item not in turn.steps[-1].items:
            yield f"item {said['item']} is not open"
        elif event.type.partition(".")[0] != item.kind:
            yield f"item {said['item']} is a {item.kind}"
        elif "delta" in said:
            item.text += said["delta"]
        else:
            if said[ENDING_TEXT[event.type]] != item.text:
                yield "the deltas do not add up"
            item.ended, item.partial = True, said.get("partial", False)
            if event.type == "tool_call.requested":
                turn.open_calls[said["item"]] = Call(wants=_wants(said), runs_on=said["runsOn"])

    def _comes_to_rest(self, turn: Turn, said: dict[str, Any]) -> Iterator[str]:
        """For all that its open calls want, and only when none could be run."""
        wanted = {call["item"]: call["kind"] for call in said["calls"]}
        if turn.in_step or not wanted:
            yield "there is something to do"
        if wanted != {item: call.wants for item, call in turn.open_calls.items()}:
            yield f"what is wanted is {wanted}, not all that is open"
        turn.resting = True

    def _is_decided(self, turn: Turn, kind: str, said: dict[str, Any]) -> Iterator[str]:
        call = turn.open_calls.get(said["item"])
        if call is None or call.wants != "approval":
            yield "the call does not wait for consent"
        elif kind == "tool_call.denied":
            call.denied = True
        else:
            call.wants = "result" if call.runs_on == "client" else ""

    def _is_done(self, turn: Turn, said: dict[str, Any]) -> Iterator[str]:
        call = turn.open_calls.pop(said["item"], None)
        if call is None:
            yield "a second result"
            return
        if call.text != said["output"]:
            yield "the deltas do not add up"
        if call.denied and said["status"] != "cancelled":
            yield "it was denied"
        if call.wants == "approval" and said["status"] in ("ok", "timeout", "unknown"):
            yield "nobody has consented"
        if call.wants == "result" and said["status"] in ("timeout", "unknown"):
            yield "it was not the server's to run"

    def _nothing_open(self, turn: Turn) -> Iterator[str]:
        if turn.open_calls:
            yield f"calls are open: {sorted(turn.open_calls)}"
        for step in turn.steps[-1:]:
            if still := [item.offset for item in step.items if not item.ended]:
                yield f"items are open: {still}"


def _wants(said: dict[str, Any]) -> str:
    if said.get("partial"):
        return ""
    if said["approval"] == "required":
        return "approval"
    return "result" if said["runsOn"] == "client" else ""


def parsed(log: Log) -> Reader:
    """The whole log, read."""
    reader = Reader()
    for event in log.events:
        reader.read(event)
    return reader
