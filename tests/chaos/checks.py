"""The promises, each held against what the world outside saw."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from tests.chaos import grammar
from tests.chaos.diary import Diary
from tests.chaos.figures import Spans
from tests.chaos.logs import Log
from tests.chaos.model import mark_of
from tests.chaos.nodes import Life
from tests.upstream import Call, Reply, Say, Think

_KINDS = {Think: "thinking", Say: "message", Call: "tool_call"}
_COMPLAINTS = re.compile(
    "Traceback|never retrieved|never awaited|was destroyed|Unclosed|Unhandled|Exception ignored"
    '|"level": ?"(error|critical)"'
)
_TOKEN = re.compile(r"#(\d+)#")


class Evidence(Struct, kw_only=True):
    """All that is known at the end; `views` is each turn's status by the inline projection.

    `effects` is how often the world outside saw a call (`TURN/CALL`, the key that a tool
    is given) take effect, whose tool must not be run twice.
    """

    diary: Diary
    logs: Mapping[str, Log]
    told: Mapping[int, Reply]
    violations: list[str]
    lives: list[Life]
    views: Mapping[str, str]
    left_over: list[str]
    parsed: Mapping[str, grammar.Reader]
    spans: list[Spans]
    effects: Mapping[str, int]


class Verdict(Struct, frozen=True):
    """A promise, how many things it was held against, and where it was broken."""

    promise: str
    looked_at: int
    faults: list[str]


Check = Callable[[Evidence], Iterator[str | None]]


def verdicts(evidence: Evidence) -> list[Verdict]:
    """All checks."""
    found = []
    for promise, check in CHECKS.items():
        results = list(check(evidence))
        faults = [fault for fault in results if fault is not None]
        found.append(Verdict(promise, len(results), faults))
    return found


def _contiguous(evidence: Evidence) -> Iterator[str | None]:
    for log in evidence.logs.values():
        yield from (None for _ in log.events)
        yield from (f"{log.conversation_id}: {fault}" for fault in log.wrong)


def _seen_is_the_log(evidence: Evidence) -> Iterator[str | None]:
    for reading in evidence.diary.readings:
        log = evidence.logs[reading.conversation_id]
        yield from (f"{reading.path}: {fault}" for fault in reading.faults)
        for offset, raw in reading.frames:
            known = offset <= len(log.events)
            same = known and log.events[offset - 1].frame == raw
            yield None if same else f"{reading.path}: saw {raw!r}"
        wanted = [
            event.offset
            for event in log.events
            if not reading.turn_id or event.turn_id == reading.turn_id
        ]
        seen = [offset for offset, _ in reading.frames]
        if seen != wanted:
            missing = sorted(set(wanted) - set(seen))
            yield f"{reading.path}: misses {missing[:5]}{'…' * (len(missing) > 5)}"


def _accepted(evidence: Evidence) -> Iterator[str | None]:
    places: defaultdict[int, list[str]] = defaultdict(list)
    for log in evidence.logs.values():
        for event in log.events:
            if event.type in ("turn.queued", "turn.steered"):
                text = json.dumps(event.payload["content"])
                places[int(_TOKEN.findall(text)[0])].append(event.turn_id)
    if not any(message.turn_id for message in evidence.diary.messages.values()):
        yield "no message was accepted at all"
    for message in evidence.diary.messages.values():
        found = places[message.token]
        if message.turn_id:
            right = found == [message.turn_id] and message.turns == {message.turn_id}
            right = right and not message.refused
        else:
            right = len(found) <= (0 if message.refused else 1)
        yield None if right else f"{message} stands in {found}"


def _cancel_is_heard(evidence: Evidence) -> Iterator[str | None]:
    """A request that was accepted stands in the log, unless the turn had ended before."""
    for asked in evidence.diary.cancellings:
        if not asked.answered:
            continue
        turn_id = asked.message.turn_id
        events = list(evidence.logs[asked.message.conversation_id].of_turn(turn_id))
        heard = any(event.type == "turn.cancel_requested" for event in events)
        heard = heard or events[-1].at < asked.answered
        yield None if heard else f"turn {turn_id} ran on after it was cancelled at {asked.at}"


def _in_time(evidence: Evidence) -> Iterator[str | None]:
    """Those that happened while nothing else was being broken."""
    for spans in evidence.spans:
        yield from (None for _ in spans.all)
        yield from (
            f"{spans.name}: {span:.2f} s"
            for span in spans.calm
            if spans.limit is not None and span > spans.limit
        )


def _all_ended(evidence: Evidence) -> Iterator[str | None]:
    for conversation_id, reader in evidence.parsed.items():
        for turn in reader.turns.values():
            ended, viewed = turn.ended, evidence.views.get(turn.turn_id)
            if not ended:
                last = [
                    event.type for event in evidence.logs[conversation_id].of_turn(turn.turn_id)
                ]
                yield f"{conversation_id}: turn {turn.turn_id} did not end: … {last[-3:]}"
            else:
                fits = ended == f"turn.{viewed}"
                yield None if fits else f"turn {turn.turn_id} has {ended}, and is shown {viewed}"


def _grammar(evidence: Evidence) -> Iterator[str | None]:
    for conversation_id, reader in evidence.parsed.items():
        yield from (None for _ in evidence.logs[conversation_id].events)
        yield from (f"{conversation_id}: {fault}" for fault in reader.faults)


def _legal_histories(evidence: Evidence) -> Iterator[str | None]:
    yield from (None for _ in evidence.told)
    yield from evidence.violations


def _model_heard(evidence: Evidence) -> Iterator[str | None]:
    """Each step is one answer of the model, word for word, and no answer is two steps."""
    steps: Counter[int] = Counter()
    for conversation_id, reader in evidence.parsed.items():
        for turn in reader.turns.values():
            for step in turn.steps:
                place = f"{conversation_id}: step at {step.offset}"
                number = mark_of(step.items[0].text) if step.items else None
                if number is None:
                    yield f"{place} has no mark" if step.whole else None
                    continue
                steps[number] += 1
                yield None if steps[number] == 1 else f"{place}: answer {number} is there already"
                yield from (f"{place}: {fault}" for fault in _differences(step, evidence, number))


def _differences(step: grammar.Step, evidence: Evidence, number: int) -> Iterator[str]:
    said = evidence.told[number].parts
    if step.whole and len(step.items) != len(said):
        yield f"{len(step.items)} of {len(said)} items of answer {number}"
    for item, part in zip(step.items, said, strict=False):
        whole = part.text == item.text
        fits = whole if step.whole and not item.partial else part.text.startswith(item.text)
        if item.kind != _KINDS[type(part)] or not fits:
            yield f"item {item.offset} of answer {number} is {item.text!r}, not {part.text!r}"


def _calls_ran_once(evidence: Evidence) -> Iterator[str | None]:
    """The log's part of it is in the grammar: no call has two results."""
    for conversation_id, log in evidence.logs.items():
        results = Counter(
            event.payload["callId"] for event in log.events if event.type == "tool_call.completed"
        )
        for call, number in results.items():
            yield None if number == 1 else f"{conversation_id}: {call} has {number} results"
    for key, number in evidence.effects.items():
        yield None if number == 1 else f"call {key} took effect {number} times"


def _answers_are_kept(evidence: Evidence) -> Iterator[str | None]:
    """An answer that was accepted stands in the log once, and one that was refused does not."""
    places: Counter[str] = Counter()
    for log in evidence.logs.values():
        for event in log.events:
            if event.type == "tool_call.completed":
                places.update(_ANSWER.findall(event.payload["output"][:40]))
            elif event.type in ("tool_call.approved", "tool_call.denied"):
                places.update([event.payload.get("reason") or ""])
    for answering in evidence.diary.answerings:
        times = places[answering.token]
        fits = times <= 1 and answering.statuses <= {(409, 202)[min(times, 1)]}
        yield None if fits else f"{answering} stands in the log {times} times"


_ANSWER = re.compile(r"^%[0-9a-f-]{36}%")


def _no_surprises(evidence: Evidence) -> Iterator[str | None]:
    yield from (None for _ in range(evidence.diary.counts.total()))
    yield from evidence.diary.surprises


def _no_complaints(evidence: Evidence) -> Iterator[str | None]:
    for life in evidence.lives:
        for line in life.said:
            yield f"pid {life.pid}: {line.strip()[:600]}" if _COMPLAINTS.search(line) else None


def _nothing_left(evidence: Evidence) -> Iterator[str | None]:
    yield from (None for _ in evidence.lives)
    yield from evidence.left_over


CHECKS: dict[str, Check] = {
    "offsets are contiguous, hashes follow": _contiguous,
    "what clients saw is the log": _seen_is_the_log,
    "an accepted message has one turn": _accepted,
    "every turn ended, and is shown so": _all_ended,
    "an accepted cancel is in the log": _cancel_is_heard,
    "takeovers and cancels are quick": _in_time,
    "one owner at a time, items closed, deltas add up": _grammar,
    "steps are what the model said": _model_heard,
    "calls have one result": _calls_ran_once,
    "an accepted answer is in the log, once": _answers_are_kept,
    "providers were sent legal histories": _legal_histories,
    "no answer that nobody expects": _no_surprises,
    "no complaint in the nodes' own words": _no_complaints,
    "nothing is left over": _nothing_left,
}
