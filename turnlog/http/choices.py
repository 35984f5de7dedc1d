"""Whether the models and tools that a request chooses are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from turnlog.domain.errors import (
    InvalidInput,
    InvalidSchema,
    ToolNotAllowed,
    UnknownTool,
    UnknownToolServer,
)
from turnlog.domain.ports import Tool
from turnlog.domain.values import BuiltinTool, FunctionTool, McpTool, ToolChoice
from turnlog.http.validation import MemberProblem, invalid
from turnlog.runtime.models import Models
from turnlog.runtime.parts import Parts
from turnlog.runtime.schemas import check_schema

ALL_THREE = (
    "To choose the model, give all three fields: modelProviderId, modelProviderApi and model."
)
OFF_UNLESS_SET = {"shell": "TURNLOG_SHELL"}


def check_model(models: Models, provider: object, api: object, model: object) -> None:
    """Raises what keeps the model from being used. Nothing is chosen where none is a string."""
    if isinstance(provider, str) and isinstance(api, str) and isinstance(model, str):
        models.adapter(provider, api)
    elif any(isinstance(word, str) for word in (provider, api, model)):
        raise InvalidInput(message=ALL_THREE)


def check_tools(parts: Parts, chosen: Sequence[ToolChoice]) -> None:
    """Raises what keeps the tools from being used here."""
    names = list(_names(parts, chosen))
    if len(set(names)) < len(names):
        raise InvalidInput(message="A tool is named twice.")


def _names(parts: Parts, chosen: Sequence[ToolChoice]) -> Iterator[str]:
    """The name of each choice, once it was found to be there."""
    for number, choice in enumerate(chosen):
        match choice:
            case str():
                yield _own(parts.tools, choice)
            case BuiltinTool():
                yield _own(parts.tools, choice.name)
            case FunctionTool():
                _check_parameters(number, choice)
                yield choice.name
            case McpTool():
                if choice.server not in parts.servers:
                    raise UnknownToolServer(
                        name=choice.server, available=", ".join(parts.servers) or "none"
                    )
                yield f"mcp:{choice.server}"


def _check_parameters(number: int, function: FunctionTool) -> None:
    try:
        check_schema(function.parameters)
    except InvalidSchema as error:
        raise invalid([MemberProblem(f"tools[{number}].parameters", str(error))]) from None


def _own(tools: Mapping[str, Tool], name: str) -> str:
    if name in OFF_UNLESS_SET and name not in tools:
        raise ToolNotAllowed(name=name, variable=OFF_UNLESS_SET[name])
    if name not in tools:
        raise UnknownTool(name=name, available=", ".join(tools) or "none")
    return name
