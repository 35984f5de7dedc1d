"""However turns are interrupted, every provider accepts the history that comes of it."""

from __future__ import annotations

from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from tests.prompt.history import History
from tests.prompt.speakers import SPEAKERS, Speaker
from tests.upstream.script import Call, Part, Reply, Say, Stop, Think
from tests.upstream.service import Service
from turnlog.domain.model import AgentCalled, AgentSaid, AgentThought, ModelRequest, StepFinished
from turnlog.domain.tools import ToolSpec
from turnlog.domain.values import Reasoning, ToolCallStatus, Verdict

TOOLS = (ToolSpec(name="read", description="", parameters={"type": "object"}),)
MODELS = ("claude-sonnet-4-5x", "gpt-5", "model-one")
VERDICTS: tuple[tuple[Verdict, str | None, str | None], ...] = (
    ("allow", "Go.", None),
    ("allowForTurn", None, None),
    ("allow", None, '{"edited": "\u2028"}'),
    ("deny", "No \u2028 way.", None),
    ("deny", None, None),
)
STATUSES: tuple[ToolCallStatus, ...] = ("ok", "error", "timeout", "cancelled", "unknown")


def _paired(text: str) -> str:
    """A thought with half a character in it cannot be given back."""
    return text.replace("\ud83d", "")


texts = st.text(st.sampled_from("ab \n\x00\u2028é🙂\ud83d"), max_size=12)
arguments = st.sampled_from(["{}", '{"a": "é"}', "", "[1]", '{"a": ', "null", '{"a": "\\ud83d"}'])
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Think, texts.map(_paired), redacted=st.booleans()),
    st.builds(Say, texts),
    st.builds(Call, st.sampled_from(["read", "a.b", "ask", "deploy", "book"]), arguments),
)
stops: st.SearchStrategy[Stop | None] = st.sampled_from([None, None, None, "max_tokens", "refusal"])


class Plan(Struct, frozen=True):
    """One step, and what becomes of it.

    `frames`: how many arrive before the connection breaks, after which the step is tried
    `again`, here or elsewhere. `answered`: how many of the calls get a result (those that
    wait for a person, by his `verdicts`) before their node is `lost`, or the turn ends as
    `end` says. `rests`: the turn comes to rest where it can.
    """

    reply: Reply
    cuts: list[int]
    frames: int | None
    again: Literal["retried", "taken over", ""]
    steered: bool
    statuses: list[ToolCallStatus]
    answered: int
    verdicts: list[tuple[Verdict, str | None, str | None]]
    rests: bool
    lost: bool
    end: str


class TurnPlan(Struct, frozen=True):
    speaker: Speaker
    model: str
    reasoning: Reasoning | None
    steps: list[Plan]


steps = st.builds(
    Plan,
    reply=st.builds(Reply, st.lists(parts, max_size=5), stops),
    cuts=st.lists(st.integers(1, 200), max_size=3),
    frames=st.none() | st.integers(0, 40),
    again=st.sampled_from(["", "retried", "taken over"]),
    steered=st.booleans(),
    statuses=st.lists(st.sampled_from(STATUSES), min_size=1, max_size=3),
    answered=st.sampled_from([9, 9, 9, 1, 0]),
    verdicts=st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=3),
    rests=st.booleans(),
    lost=st.sampled_from([False, False, False, True]),
    end=st.sampled_from(["go on", "go on", "go on", "fail", "cancel", "complete"]),
)
reasonings = st.sampled_from(
    [None, Reasoning(budget_tokens=1024), Reasoning(effort="high"), Reasoning(effort="none")]
)
turns = st.builds(
    TurnPlan,
    speaker=st.sampled_from(SPEAKERS),
    model=st.sampled_from(MODELS),
    reasoning=reasonings,
    steps=st.lists(steps, min_size=1, max_size=4),
)


@given(st.lists(turns, min_size=1, max_size=4), st.sampled_from(["openrouter", "deepseek", "none"]))
@settings(deadline=None, max_examples=200)
def test_no_interruption_makes_an_illegal_history(
    plans: list[TurnPlan], chat_reasoning: Literal["openrouter", "deepseek", "none"]
) -> None:
    Drive(Service(nonce="n", chat_reasoning=chat_reasoning)).run(plans)


class Drive:
    """Plays plans through the readers into a log, and every prompt to every wire's rules."""

    def __init__(self, service: Service) -> None:
        self.history = History()
        self.service = service
        self.asked = 0

    def run(self, plans: list[TurnPlan]) -> None:
        for plan in plans:
            model = plan.speaker.model(plan.model)
            self.history.asked("Hi", model=model)
            for step in plan.steps:
                if not self.step(plan, step):
                    break
            else:
                self.history.completed()

    def step(self, turn: TurnPlan, plan: Plan) -> bool:
        """Play one step; whether the turn goes on."""
        history = self.history
        self.check(turn)
        request = self.request(turn.speaker, turn.model, turn.reasoning)
        whole = self.play(turn, plan, request, plan.frames)
        if not whole and plan.again:
            _ = history.retried() if plan.again == "retried" else history.taken_over()
            self.check(turn)
            whole = self.play(turn, plan, request, None)
        if not whole:
            _ = history.failed() if plan.end == "fail" else history.cancelled()
            return False
        is_done = not history.running.calls and not plan.steered
        for place, item in enumerate([*history.running.calls][: plan.answered]):
            self.answer(turn, plan, item, place)
            self.check(turn)
        if plan.lost and not history.running.resting:
            history.taken_over()
            self.check(turn)
        match "complete" if is_done else plan.end:
            case "fail":
                _ = history.expired() if history.running.resting else history.failed()
            case "cancel":
                history.cancelled()
            case "complete":
                history.completed()
            case _:
                for place, item in enumerate([*history.running.calls]):
                    self.answer(turn, plan, item, place)
                return True
        return False

    def answer(self, turn: TurnPlan, plan: Plan, item: int, place: int) -> None:
        """What it takes for the call to have its result, unless it got that with another's."""
        history = self.history
        status = plan.statuses[place % len(plan.statuses)]
        if plan.rests and not history.running.resting:
            history.rests()
        if item in history.running.calls and history.running.calls[item].wants == "approval":
            history.decided(*plan.verdicts[place % len(plan.verdicts)], item=item)
            self.check(turn)
        call = history.running.calls.get(item)
        if call is None:
            return
        if call.wants == "result":
            history.provided("\x00 out", "ok" if status == "ok" else "error", item)
        else:
            history.answered("\x00 out", status, item)

    def play(self, turn: TurnPlan, plan: Plan, request: ModelRequest, frames: int | None) -> bool:
        self.asked += 1
        history = self.history.begins()
        if plan.steered:
            history.steered("Faster")
        whole = False
        reply = Reply(_in_order(plan.reply.parts, turn.speaker), plan.reply.stop)
        speaker, service, number = turn.speaker, self.service, self.asked
        for part in speaker.parts(
            request, reply, service, number=number, cuts=plan.cuts, frames=frames
        ):
            history.hear(part)
            whole = isinstance(part, StepFinished)
        return whole

    def check(self, turn: TurnPlan) -> None:
        """The prompt is legal for the turn's own model, and for every other."""
        for speaker in SPEAKERS:
            for model in MODELS:
                request = self.request(speaker, model, turn.reasoning)
                if not isinstance(request.items[-1], AgentSaid | AgentCalled | AgentThought):
                    speaker.check(request, self.service)

    def request(self, speaker: Speaker, model: str, reasoning: Reasoning | None) -> ModelRequest:
        asked = speaker.model(model)
        return ModelRequest(
            model=asked,
            items=self.history.prompt(asked),
            instructions="Be kind.",
            tools=TOOLS,
            reasoning=reasoning,
        )


def _in_order(parts: list[Part], speaker: Speaker) -> list[Part]:
    """Chat completions have no place for a thought after a call."""
    if speaker.api != "chat":
        return parts
    return sorted(parts, key=lambda part: isinstance(part, Call))
