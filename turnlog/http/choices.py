"""Whether the models and tools that a request chooses are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from turnlog.domain.errors import InvalidInput, NotAvailable, ToolNotAllowed, UnknownTool
from turnlog.domain.ports import Tool
from turnlog.domain.values import BuiltinTool, FunctionTool, McpTool, ToolChoice
from turnlog.runtime.models import Models

ALL_THREE = (
    "To choose the model, give all three fields: modelProviderId, modelProviderApi and model."
)
LATER_TOOLS = frozenset({"writeFile", "applyPatch"})
OFF_UNLESS_SET = {"shell": "TURNLOG_SHELL"}


def check_model(models: Models, provider: object, api: object, model: object) -> None:
    """Raises what keeps the model from being used. Nothing is chosen where none is a string."""
    if isinstance(provider, str) and isinstance(api, str) and isinstance(model, str):
        models.adapter(provider, api)
    elif any(isinstance(word, str) for word in (provider, api, model)):
        raise InvalidInput(message=ALL_THREE)


def check_tools(tools: Mapping[str, Tool], chosen: Sequence[ToolChoice]) -> None:
    """Raises what keeps the tools from being used; `tools` are those of this server."""
    names = [_builtin_name(choice) for choice in chosen]
    for name in names:
        if name in LATER_TOOLS and name not in tools:
            raise NotAvailable(feature=f"The tool '{name}'")
        if name in OFF_UNLESS_SET and name not in tools:
            raise ToolNotAllowed(name=name, variable=OFF_UNLESS_SET[name])
        if name not in tools:
            raise UnknownTool(name=name, available=", ".join(tools) or "none")
    if len(set(names)) < len(names):
        raise InvalidInput(message="A tool is named twice.")


def _builtin_name(choice: ToolChoice) -> str:
    match choice:
        case str():
            return choice
        case FunctionTool():
            raise NotAvailable(feature="A tool of type 'function'")
        case McpTool():
            raise NotAvailable(feature="A tool of type 'mcp'")
        case BuiltinTool(approval="always"):
            raise NotAvailable(feature="A tool with the approval 'always'")
        case BuiltinTool():
            return choice.name
