"""What a dialect needs to know of a conversation besides the event that it renders."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.conversation import changed
from turnlog.domain.events import Fact
from turnlog.domain.values import Configuration, Model

_NO_MODEL = Model(model_provider_id="", model_provider_api="", model="")


class KnownCall(Struct, frozen=True, kw_only=True):
    """A call that a model has made; `ran`: the server has begun to run it."""

    call_id: str
    name: str
    arguments: str
    on_server: bool
    ran: bool


class Context:
    """The state-bearing events of one conversation, as far as they were learned.

    To render an event, all before it must have been learned. To have learned more
    does no harm: what a dialect asks about an event is settled when it happens.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._configuration: Configuration | None = None
        self._models: dict[UUID, Model] = {}
        self._calls: dict[int, KnownCall] = {}
        self._said: dict[UUID, dict[int, str]] = {}

    def learn(self, offset: int, fact: Fact | None) -> None:
        """Take in one more event (None: one of a later release), in the order of the log.

        What was learned already is skipped; so nothing may be left out on the way.
        """
        if offset <= self.offset:
            return
        self.offset = offset
        match fact:
            case events.ConversationCreated():
                self._configuration = fact
            case events.ConversationUpdated():
                if self._configuration is not None:
                    self._configuration = changed(self._configuration, fact)
            case events.TurnQueued():
                self._models[fact.turn_id] = self._model_for(fact)
            case events.TurnStarted():
                self._models[fact.turn_id] = Model(
                    model_provider_id=fact.model_provider_id,
                    model_provider_api=fact.model_provider_api,
                    model=fact.model,
                )
            case events.MessageCompleted() if not fact.partial:
                self._said.setdefault(fact.turn_id, {})[fact.item] = fact.text
            case events.TurnCompleted() | events.TurnFailed() | events.TurnCancelled():
                self._keep_the_answer(fact)
            case events.ToolCallRequested():
                self._calls[fact.item] = KnownCall(
                    call_id=fact.call_id,
                    name=fact.name,
                    arguments=fact.arguments,
                    on_server=fact.runs_on == "server",
                    ran=runs_at_once(fact),
                )
            case events.ToolCallApproved():
                call = self._calls.get(fact.item)
                if call is not None:
                    arguments = call.arguments if fact.arguments is None else fact.arguments
                    self._calls[fact.item] = replace(call, arguments=arguments, ran=call.on_server)
            case _:
                pass

    def model_of(self, turn_id: UUID | None) -> Model:
        """The model of a turn; of one that never started, the one that it would have had."""
        return _NO_MODEL if turn_id is None else self._models.get(turn_id, _NO_MODEL)

    def call(self, item: int) -> KnownCall | None:
        """The call of that item."""
        return self._calls.get(item)

    def answer(self, turn_id: UUID, item: int) -> str | None:
        """The text of the message that answers in a turn."""
        return self._said.get(turn_id, {}).get(item)

    def _keep_the_answer(self, ended: events.TurnEnded) -> None:
        """Of all that was said in the turn, only its result is asked for now."""
        said = self._said.pop(ended.turn_id, {})
        result = ended.result if isinstance(ended, events.TurnCompleted) else None
        if result is not None and result.item in said:
            self._said[ended.turn_id] = {result.item: said[result.item]}

    def _model_for(self, queued: events.TurnQueued) -> Model:
        settings = self._configuration
        return Model(
            model_provider_id=queued.model_provider_id
            or (settings.model_provider_id if settings else ""),
            model_provider_api=queued.model_provider_api
            or (settings.model_provider_api if settings else ""),
            model=queued.model or (settings.model if settings else ""),
        )


def runs_at_once(request: events.ToolCallRequested) -> bool:
    """Whether a call is run on the server as soon as it is whole."""
    return request.runs_on == "server" and request.approval == "none" and not request.partial
