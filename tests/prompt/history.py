"""Conversations that grow by the domain's own decisions, and the prompts that come of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from turnlog.domain import commands, events
from turnlog.domain.commands import Command
from turnlog.domain.conversation import Conversation, evolve
from turnlog.domain.decisions import decide
from turnlog.domain.events import Fact
from turnlog.domain.identity import uuid7
from turnlog.domain.model import (
    ItemCompleted,
    ItemDelta,
    ItemStarted,
    ModelPart,
    PromptItem,
    StepFinished,
)
from turnlog.domain.turn import OpenCall, RunningTurn
from turnlog.domain.values import (
    Configuration,
    ContentPart,
    ItemKind,
    Model,
    Overrides,
    StopReason,
    TextPart,
    ToolCallStatus,
    TurnError,
    Usage,
    Verdict,
    timestamp,
)
from turnlog.projections.prompt import prompt

NOW = 1_790_000_000_000_000
CLAUDE = Model(
    model_provider_id="anthropic", model_provider_api="messages", model="claude-sonnet-4-5x"
)
GPT = Model(model_provider_id="openai", model_provider_api="responses", model="gpt-5")
# Where the calls of a tool run, and what that takes, unless it is the plain way.
TERMS: dict[str, dict[str, Any]] = {
    "list": {"repeatable": True},
    "ask": {"runs_on": "client"},
    "deploy": {"approval": "required"},
    "book": {"runs_on": "client", "approval": "required"},
}
WEEK = 7 * 86_400_000_000


class Spoken(Struct, frozen=True, kw_only=True):
    """An item of a step; `whole`: the provider ended it; `seal` is what it gave with it."""

    kind: ItemKind
    text: str
    name: str = ""
    whole: bool = True
    seal: str | None = None


def thought(text: str = "Hm.", *, whole: bool = True) -> Spoken:
    return Spoken(kind="thinking", text=text, whole=whole, seal=text)


def said(text: str, *, whole: bool = True, seal: str | None = None) -> Spoken:
    return Spoken(kind="message", text=text, whole=whole, seal=seal)


def called(arguments: str = "{}", *, name: str = "read", whole: bool = True) -> Spoken:
    return Spoken(kind="tool_call", text=arguments, name=name, whole=whole, seal=arguments)


class History:
    """A log, written by commands as a turn's runner would give them."""

    def __init__(self, model: Model = CLAUDE) -> None:
        self.facts: list[tuple[int, Fact]] = []
        self.state = Conversation()
        self.model = model
        self._turns = 0
        self.do(
            commands.CreateConversation(
                at=NOW, conversation_id=_id(0), configuration=Configuration(**_members(model))
            )
        )

    @property
    def running(self) -> RunningTurn:
        assert self.state.running is not None
        return self.state.running

    def prompt(
        self, model: Model | None = None, blobs: Mapping[str, bytes] | None = None
    ) -> tuple[PromptItem, ...]:
        """What the model is given next."""
        return prompt(self.facts, model or self.model, blobs or {})

    def do(self, command: Command) -> None:
        for fact in decide(command, self.state):
            self.tell(fact)

    def tell(self, fact: Fact) -> int:
        """Append a fact that no command makes here; returns its offset."""
        self.state = evolve(self.state, fact)
        if not isinstance(fact, events.Delta):
            self.facts.append((self.state.offset, fact))
        return self.state.offset

    def asked(self, *content: str | ContentPart, model: Model | None = None) -> Self:
        self.model = model or self.model
        self._turns += 1
        parts = tuple(TextPart(text=part) if isinstance(part, str) else part for part in content)
        self.do(
            commands.SubmitMessage(
                at=NOW,
                turn_id=_id(self._turns),
                content=parts,
                overrides=Overrides(**_members(self.model)),
            )
        )
        return self

    def steered(self, text: str) -> Self:
        self._turns += 1
        self.do(
            commands.SubmitMessage(
                at=NOW, turn_id=_id(self._turns), content=(TextPart(text=text),), on_busy="steer"
            )
        )
        return self

    def begins(self) -> Self:
        """A step begins."""
        self.do(commands.StartStep(**self._owner()))
        return self

    def speaks(self, *items: Spoken) -> Self:
        """Items of the step under way."""
        for item in items:
            number = len(self.running.step_items)
            self.hear(ItemStarted(item=number, kind=item.kind, name=item.name))
            self.hear(ItemDelta(number, item.text))
            if item.whole:
                given: dict[str, object] = {} if item.seal is None else {"seal": item.seal}
                self.hear(ItemCompleted(item=number, provider_data=given or None))
        return self

    def ends(self, stop: StopReason = "end_turn") -> Self:
        """The step ends."""
        self.hear(StepFinished(usage=Usage(), stop_reason=stop))
        return self

    def stepped(self, *items: Spoken, stop: StopReason = "end_turn") -> Self:
        return self.begins().speaks(*items).ends(stop)

    def hear(self, part: ModelPart) -> None:
        """Record a part of an answer, as a turn's runner does."""
        owner = self._owner()
        match part:
            case ItemStarted():
                self.do(commands.StartItem(**owner, item=part.item, kind=part.kind, name=part.name))
            case ItemDelta():
                self.do(commands.AppendText(**owner, item=part.item, text=part.text))
            case ItemCompleted():
                given = part.provider_data
                terms = TERMS.get(self._name_of(part.item), {})
                self.do(
                    commands.CompleteItem(**owner, item=part.item, provider_data=given, **terms)
                )
            case StepFinished():
                ending = commands.CompleteStep(
                    **owner, usage=part.usage, stop_reason=part.stop_reason, duration_ms=1
                )
                self.do(ending)
            case _:
                pass

    def _name_of(self, number: int) -> str:
        return self.running.items[self.running.step_items[number]].name

    def spoke(self, output: str, item: int | None = None) -> Self:
        """The open call (the oldest one unless told) says something."""
        call = self._open_call(item)
        self.do(commands.AppendOutput(**self._owner(), call_id=call.call_id, text=output))
        return self

    def answered(self, output: str, status: ToolCallStatus = "ok", item: int | None = None) -> Self:
        """The result of the open call, of the oldest one unless told."""
        call = self.spoke(output, item)._open_call(item)
        self.do(
            commands.CompleteToolCall(
                **self._owner(), call_id=call.call_id, status=status, duration_ms=1
            )
        )
        return self

    def rests(self) -> Self:
        """The turn rests, if all its calls wait for somebody."""
        self.do(commands.RestTurn(**self._owner(), expires_at=NOW + WEEK))
        return self

    def provided(self, output: str, status: ToolCallStatus = "ok", item: int | None = None) -> Self:
        """The caller's result of the open call, of the oldest one unless told."""
        call = self._open_call(item)
        given = commands.CallResult(call_id=call.call_id, output=output, status=status)
        self.do(commands.ProvideResults(**self._answer(), results=(given,)))
        return self

    def decided(
        self,
        verdict: Verdict = "allow",
        reason: str | None = None,
        arguments: str | None = None,
        item: int | None = None,
    ) -> Self:
        """A person's decision on the open call, on the oldest one unless told."""
        decision = commands.CallDecision(
            call_id=self._open_call(item).call_id,
            verdict=verdict,
            reason=reason,
            arguments=arguments,
        )
        self.do(commands.DecideCalls(**self._answer(), decisions=(decision,), by="ann"))
        return self

    def expired(self) -> Self:
        """Nobody has answered in time."""
        self.do(commands.ExpireTurn(at=NOW + WEEK, turn_id=self.running.turn_id, node="b"))
        return self

    def _open_call(self, item: int | None) -> OpenCall:
        return self.running.calls[next(iter(self.running.calls)) if item is None else item]

    def denied(self, reason: str | None) -> Self:
        """The oldest open call is denied, and so has an empty result."""
        item, call = next(iter(self.running.calls.items()))
        self.tell(
            events.ToolCallDenied(
                **self._in_turn(), item=item, call_id=call.call_id, by="ann", reason=reason
            )
        )
        return self.answered("", "cancelled")

    def retried(self) -> Self:
        """The step under way has failed; the model is asked again."""
        self.do(commands.RetryStep(**self._owner(), reason="overloaded", delay_ms=1, retry=1))
        return self

    def taken_over(self) -> Self:
        """The turn's node is lost, and another goes on."""
        self.do(commands.ResumeTurn(**self._owner(), node="b"))
        return self

    def failed(self) -> Self:
        error = TurnError(code="overloaded", message="Too many.", retryable=True)
        self.do(commands.FailTurn(**self._owner(), error=error))
        return self

    def cancelled(self) -> Self:
        self.do(commands.CancelTurn(at=NOW, turn_id=self.running.turn_id, by="ann"))
        if self.state.running is not None:
            self.do(commands.AcknowledgeCancel(**self._owner()))
        return self

    def completed(self) -> Self:
        """The turn ends, whatever it might still have heard."""
        heard = replace(self.running, unheard=False, resting=False)
        self.state = replace(self.state, running=heard)
        self.do(commands.CompleteTurn(**self._owner()))
        return self

    def _owner(self) -> dict[str, Any]:
        turn = self.running
        return {"at": NOW, "turn_id": turn.turn_id, "attempt": turn.attempt}

    def _answer(self) -> dict[str, Any]:
        turn_id = self.running.turn_id
        return {"at": NOW, "turn_id": turn_id, "node": "b", "expires_at": NOW + WEEK}

    def _in_turn(self) -> dict[str, Any]:
        return {"at": timestamp(NOW), "turn_id": self.running.turn_id}


def _id(number: int) -> UUID:
    return uuid7(NOW + number, bytes(8))


def _members(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.__struct_fields__}
