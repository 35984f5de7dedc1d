"""Logs in a few words, and random ones."""

from __future__ import annotations

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st

from turnlog.domain import codec, events
from turnlog.domain.events import Fact, Result, WantedCall
from turnlog.domain.records import Entry
from turnlog.domain.values import (
    ContentPart,
    ProviderData,
    Reasoning,
    TextPart,
    ToolCallStatus,
    TurnError,
    Usage,
    timestamp,
)
from turnlog.projections.context import Context

CONVERSATION = UUID("01999999-0000-7000-8000-0000000000aa")
FIRST_TURN = UUID("01999999-0000-7000-8000-0000000001aa")
EPOCH = 1_790_000_000_000_000
SECRET = "hush-hush"
USAGE = Usage(input_tokens=100, output_tokens=20, cached_input_tokens=40, reasoning_tokens=7)

patient = settings(deadline=None)


def moment(offset: int) -> str:
    """When the event of that offset happened."""
    return timestamp(EPOCH + offset)


class Log:
    """A log that grows event by event; `turn` is the turn that its next events are of."""

    def __init__(self) -> None:
        self.facts: list[tuple[int, Fact]] = []
        self.turn_of: dict[int, UUID | None] = {}
        self.turn = FIRST_TURN
        self.turns = 0

    @property
    def entries(self) -> list[Entry]:
        """The log as it is stored."""
        return [
            Entry(offset, *codec.encode(fact), self.turn_of[offset], EPOCH + offset)
            for offset, fact in self.facts
        ]

    @property
    def context(self) -> Context:
        """What dialects know after the whole log."""
        context = Context()
        for offset, fact in self.facts:
            context.learn(offset, fact)
        return context

    @property
    def next(self) -> int:
        return len(self.facts) + 1

    @property
    def at(self) -> str:
        return moment(self.next)

    def add(self, fact: Fact) -> int:
        """Append a fact; returns its offset."""
        offset = self.next
        in_turn = not fact.__struct_config__.tag.startswith("conversation.")  # type: ignore[union-attr]
        self.turn_of[offset] = getattr(fact, "turn_id", self.turn) if in_turn else None
        self.facts.append((offset, fact))
        return offset

    def created(self) -> Log:
        self.add(
            events.ConversationCreated(
                conversation_id=CONVERSATION,
                at=self.at,
                model_provider_id="demo",
                model_provider_api="script",
                model="small",
                title="A title",
                tags=("a", "b"),
                reasoning=Reasoning(effort="high"),
            )
        )
        return self

    def updated(self, **changes: object) -> Log:
        self.add(events.ConversationUpdated(at=self.at, **changes))  # type: ignore[arg-type]
        return self

    def deleted(self) -> Log:
        self.add(events.ConversationDeleted(at=self.at, erased=False))
        return self

    def queued(self, *content: str | ContentPart, model: str | None = None) -> UUID:
        """A new turn, that the next events are of."""
        self.turns += 1
        self.turn = UUID(int=FIRST_TURN.int + (self.turns - 1) * 256)
        parts = tuple(TextPart(text=part) if isinstance(part, str) else part for part in content)
        self.add(
            events.TurnQueued(
                at=self.at, turn_id=self.turn, content=parts, on_busy="enqueue", model=model
            )
        )
        return self.turn

    def started(self, turn: UUID | None = None, model: str = "small") -> Log:
        self.turn = turn or self.turn
        self.add(
            events.TurnStarted(
                at=self.at,
                turn_id=self.turn,
                model_provider_id="demo",
                model_provider_api="script",
                model=model,
                attempt=1,
            )
        )
        return self

    def asked(self, *content: str) -> UUID:
        """A turn that starts at once."""
        self.queued(*content)
        self.started()
        return self.turn

    def steered(self, text: str) -> int:
        return self.add(
            events.TurnSteered(at=self.at, turn_id=self.turn, content=(TextPart(text=text),))
        )

    def step(self, step: int = 1) -> Log:
        self.add(events.StepStarted(at=self.at, turn_id=self.turn, step=step, model="small"))
        return self

    def step_completed(self, step: int = 1) -> Log:
        self.add(
            events.StepCompleted(
                at=self.at,
                turn_id=self.turn,
                step=step,
                usage=USAGE,
                stop_reason="end_turn",
                duration_ms=12,
            )
        )
        return self

    def thought(self, text: str, *, partial: bool = False) -> int:
        item = self.add(events.ThinkingStarted(at=self.at, turn_id=self.turn, step=1))
        self.add(events.ThinkingDelta(item, text))
        self.add(
            events.ThinkingCompleted(
                at=self.at,
                turn_id=self.turn,
                item=item,
                text=text,
                partial=partial,
                provider_data=_sealed(text),
            )
        )
        return item

    def message(self, text: str, *, partial: bool = False) -> int:
        item = self.add(events.MessageStarted(at=self.at, turn_id=self.turn, step=1))
        self.add(events.MessageDelta(item, text))
        self.add(
            events.MessageCompleted(
                at=self.at, turn_id=self.turn, item=item, text=text, partial=partial
            )
        )
        return item

    def requested(
        self,
        name: str = "readFile",
        arguments: str = "{}",
        *,
        client: bool = False,
        approval: bool = False,
        partial: bool = False,
    ) -> int:
        item = self.next
        self.add(
            events.ToolCallStarted(
                at=self.at, turn_id=self.turn, step=1, call_id=f"call_{item}", name=name
            )
        )
        self.add(events.ToolCallArgumentsDelta(item, arguments))
        self.add(
            events.ToolCallRequested(
                at=self.at,
                turn_id=self.turn,
                item=item,
                call_id=f"call_{item}",
                name=name,
                arguments=arguments,
                runs_on="client" if client else "server",
                approval="required" if approval else "none",
                partial=partial,
                provider_data=_sealed(arguments),
            )
        )
        return item

    def approved(self, item: int) -> Log:
        self.add(
            events.ToolCallApproved(
                at=self.at, turn_id=self.turn, item=item, call_id=f"call_{item}", by="ann"
            )
        )
        return self

    def denied(self, item: int, reason: str) -> Log:
        self.add(
            events.ToolCallDenied(
                at=self.at,
                turn_id=self.turn,
                item=item,
                call_id=f"call_{item}",
                by="ann",
                reason=reason,
            )
        )
        return self

    def output(self, item: int, output: str = "", status: ToolCallStatus = "ok") -> Log:
        self.add(events.ToolCallOutputDelta(item, output))
        self.add(
            events.ToolCallCompleted(
                at=self.at,
                turn_id=self.turn,
                item=item,
                call_id=f"call_{item}",
                status=status,
                output=output,
                duration_ms=1_500,
            )
        )
        return self

    def requires(self, **items: int) -> Log:
        """The turn waits: `result=` or `approval=` an item, or `result_2=` and so on."""
        calls = tuple(
            WantedCall(
                item=item,
                call_id=f"call_{item}",
                kind="result" if kind.startswith("result") else "approval",
            )
            for kind, item in items.items()
        )
        self.add(events.TurnRequiresAction(at=self.at, turn_id=self.turn, calls=calls))
        return self

    def superseded(self, from_offset: int, usage: Usage | None = None) -> Log:
        self.add(
            events.AttemptSuperseded(
                at=self.at, turn_id=self.turn, from_offset=from_offset, usage=usage
            )
        )
        return self

    def retrying(self) -> Log:
        self.add(
            events.TurnRetrying(
                at=self.at, turn_id=self.turn, reason="overloaded", delay_ms=500, retry=1
            )
        )
        return self

    def resumed(self, attempt: int = 2) -> Log:
        self.add(
            events.TurnResumed(at=self.at, turn_id=self.turn, attempt=attempt, node="elsewhere")
        )
        return self

    def completed(self, item: int | None = None) -> Log:
        result = None if item is None else Result(item)
        self.add(events.TurnCompleted(at=self.at, turn_id=self.turn, result=result, usage=USAGE))
        return self

    def failed(self, code: str = "overloaded", message: str = "Too many of you.") -> Log:
        error = TurnError(code=code, message=message, retryable=True)
        self.add(events.TurnFailed(at=self.at, turn_id=self.turn, error=error, usage=USAGE))
        return self

    def cancelled(self, turn: UUID | None = None, reason: str | None = "enough") -> Log:
        self.add(
            events.TurnCancelled(
                at=self.at, turn_id=turn or self.turn, by="ann", reason=reason, usage=USAGE
            )
        )
        return self


def _sealed(text: str) -> ProviderData:
    return ProviderData(
        model_provider_id="demo",
        model_provider_api="script",
        model="small",
        content={"seal": text},
    )


TRICKY = st.text(
    st.sampled_from('ab \n\r\t"\\/\x00\x0b\x1c\x7f\x85\u2028\u2029\ufeffé🙂'), max_size=12
)


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Conversations in which all that a summary must not tell has the SECRET in it."""
    log = Log().created()
    for _ in range(draw(st.integers(1, 3))):
        log.asked(draw(TRICKY))
        answer = None
        for _ in range(draw(st.integers(0, 4))):
            answer = _something_happens(draw, log) or answer
        match draw(st.sampled_from(["completed", "failed", "cancelled"])):
            case "completed":
                log.completed(answer)
            case "failed":
                log.failed()
            case _:
                log.cancelled()
    return log


def _something_happens(draw: st.DrawFn, log: Log) -> int | None:
    secret = SECRET + draw(TRICKY)
    match draw(st.sampled_from(["thought", "message", "call", "waiting call", "step", "steered"])):
        case "thought":
            log.thought(secret, partial=draw(st.booleans()))
        case "message":
            return log.message(draw(TRICKY))
        case "call":
            item = log.requested("readFile", secret, partial=draw(st.booleans()))
            log.output(item, secret, draw(st.sampled_from(["ok", "cancelled"])))
        case "waiting call":
            item = log.requested("shell", secret, client=draw(st.booleans()), approval=True)
            log.requires(approval=item)
            if draw(st.booleans()):
                log.approved(item)
                log.output(item, secret)
            else:
                log.denied(item, secret)
                log.output(item, secret, "cancelled")
        case "step":
            log.step()
            log.step_completed()
        case _:
            log.steered(draw(TRICKY))
    return None
