"""One attempt of a turn: whoever runs a part of it speaks to the actor in its name."""

from __future__ import annotations

from typing import Any

from turnlog.domain.commands import RunnerCommand
from turnlog.domain.errors import TurnSuperseded
from turnlog.domain.ports import Clock
from turnlog.domain.turn import RunningTurn
from turnlog.runtime.actor import Actor


class Attempt:
    """Commands of the attempt that owns a turn; refused as `TurnSuperseded` once it does not."""

    def __init__(self, actor: Actor, turn: RunningTurn, clock: Clock) -> None:
        """`turn` is as it stood when the attempt began."""
        self.actor = actor
        self.turn = turn
        self.clock = clock

    async def ask(self, command: type[RunnerCommand], **members: Any) -> RunningTurn | None:
        """Handle the command; the turn after it, None once it has ended."""
        standing, _ = await self.actor.ask(self._command(command, members))
        turn = standing.state.running
        return turn if turn is not None and self._is_mine(turn) else None

    def tell(self, command: type[RunnerCommand], **members: Any) -> None:
        """Handle the command in its turn; a refusal is dropped."""
        self.actor.tell(self._command(command, members))

    def latest(self) -> RunningTurn | None:
        """The turn as the log has it; None while that has to be read again.

        Raises `TurnSuperseded` once it is another's, or has ended.
        """
        if self.actor.standing is None:
            return None
        turn = self.actor.standing.state.running
        if turn is None or not self._is_mine(turn):
            raise TurnSuperseded()
        return turn

    def _command(self, command: type[RunnerCommand], members: dict[str, Any]) -> RunnerCommand:
        return command(
            at=self.clock.now(), turn_id=self.turn.turn_id, attempt=self.turn.attempt, **members
        )

    def _is_mine(self, turn: RunningTurn) -> bool:
        return (turn.turn_id, turn.attempt) == (self.turn.turn_id, self.turn.attempt)
