"""Whether a call fits the tool that it names: what the model is told before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from turnlog.domain.commands import CallDecision
from turnlog.domain.errors import InvalidInput
from turnlog.domain.ports import EventStore
from turnlog.domain.turn import OpenCall
from turnlog.runtime.schemas import problems
from turnlog.runtime.standing import load
from turnlog.runtime.toolbox import Offers, Toolbox


class Unfit(Exception):
    """The call cannot be run; the message is for the model."""


def arguments_of(call: OpenCall, offers: Offers) -> dict[str, Any]:
    """The arguments of a call that can be run; raises `Unfit`."""
    if call.partial:
        raise Unfit("The call was cut off before it was whole, so the tool did not run.")
    offer = offers.get(call.name)
    if offer is None:
        there = ", ".join(offers) or "none"
        raise Unfit(f"There is no tool {call.name!r}. There are: {there}.")
    try:
        arguments = msgspec.json.decode(call.arguments.strip() or "{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unfit(f"The arguments are not JSON, so the tool did not run: {error}") from None
    if not isinstance(arguments, dict):
        raise Unfit("The arguments are not a JSON object, so the tool did not run.")
    if found := problems(offer.spec.parameters, arguments):
        told = "; ".join(found)
        raise Unfit(f"The arguments do not fit the tool, which did not run: {told}.")
    return arguments


async def check_edits(
    toolbox: Toolbox, store: EventStore, conversation_id: UUID, decisions: Sequence[CallDecision]
) -> None:
    """Raises `InvalidInput` for arguments of a person's that do not fit the tool of their call.

    What this node remembers may be older than the call, so the log is read.
    """
    edits = {each.call_id: each.arguments for each in decisions if each.arguments is not None}
    turn = (await load(store, conversation_id)).state.running if edits else None
    if turn is None:
        return
    offers = await toolbox.offers(turn.settings.tools)
    for call in turn.calls.values():
        if (edited := edits.get(call.call_id)) is None:
            continue
        try:
            arguments_of(replace(call, arguments=edited), offers)
        except Unfit as unfit:
            raise InvalidInput(message=f"Call '{call.call_id}': {unfit}") from None
