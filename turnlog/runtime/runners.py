"""What the runner of a turn is made of."""

from __future__ import annotations

from turnlog.domain.turn import RunningTurn
from turnlog.runtime.actor import Actor
from turnlog.runtime.attempt import Attempt
from turnlog.runtime.calls import ToolCalls
from turnlog.runtime.parts import Parts
from turnlog.runtime.prompting import Prompter
from turnlog.runtime.steps import Steps
from turnlog.runtime.toolbox import Toolbox
from turnlog.runtime.turn import TurnRunner


class Runners:
    """Makes the runner of each turn that is this node's."""

    def __init__(self, parts: Parts, toolbox: Toolbox) -> None:
        self._parts = parts
        self._toolbox = toolbox

    def of(self, actor: Actor, turn: RunningTurn) -> TurnRunner:
        """The runner of one attempt of a turn."""
        parts, settings = self._parts, turn.settings
        attempt = Attempt(actor, turn, parts.clock)
        steps = Steps(
            attempt,
            model=lambda: parts.models.adapter(
                settings.model_provider_id, settings.model_provider_api
            ),
            prompter=Prompter(parts.store, parts.blobs, actor.conversation_id),
            toolbox=self._toolbox,
            stall_timeout=parts.stall_timeout,
            sleep=parts.sleep,
        )
        return TurnRunner(
            attempt,
            steps,
            ToolCalls(attempt),
            deadline=parts.turn_timeout,
            patience=parts.action_timeout,
        )
