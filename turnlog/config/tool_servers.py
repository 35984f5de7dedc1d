"""The tool servers that an operator configured, in the file that MCP clients have in common."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields

from turnlog.config.faults import BadSettings

Seconds = Annotated[
    float, Meta(gt=0, le=86_400, description="a number of seconds above 0, 86400 at most")
]
Approval = Annotated[Literal["always", "never"], Meta(description="always or never")]
Text = Annotated[str, Meta(pattern=r"^[^\x00]+$")]
Names = Annotated[tuple[Text, ...], Meta(description="a list of names of tools")]
PathText = Annotated[Text, Meta(description="a path")]
Command = Annotated[Text, Meta(description="a command")]
Words = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[^\x00]*$")], ...], Meta(description="a list of texts")
]
Environment = Annotated[
    dict[Annotated[str, Meta(pattern=r"^[^=\x00]+$")], Annotated[str, Meta(pattern=r"^[^\x00]*$")]],
    Meta(description="an object of texts, named as environment variables are"),
]
Headers = Annotated[
    dict[
        Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")],
        Annotated[str, Meta(pattern=r"^[\t\x20-\x7e]*\Z")],
    ],
    Meta(description="an object of ASCII texts, named as HTTP headers are"),
]
Url = Annotated[
    str, Meta(pattern=r"^https?://[^/\s]", description="a URL that begins with http:// or https://")
]

# Without "__", and with no "_" at the end, so that `SERVER__TOOL` names one server's tool only.
NAME = re.compile(r"(?=.{1,32}\Z)[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*\Z", re.ASCII)
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
TRANSPORTS = {
    "stdio": "stdio",
    "http": "http",
    "streamable-http": "http",
    "streamableHttp": "http",
}


class _Server(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str = ""
    approval: Approval = "never"
    timeout_seconds: Seconds = 60.0
    start_seconds: Seconds = 10.0
    tools: Names | None = None
    repeatable: Names = ()


class StdioServer(_Server, frozen=True, kw_only=True, rename="camel"):
    """A server that is started by its command, and spoken with over its pipes."""

    command: Command
    args: Words = ()
    env: Environment = {}
    cwd: PathText | None = None
    stderr_file: PathText | None = None


class HttpServer(_Server, frozen=True, kw_only=True, rename="camel"):
    """A server that is reached by its URL, over streamable HTTP."""

    url: Url
    headers: Headers = {}


ToolServerSettings = StdioServer | HttpServer


def make_tool_servers(
    text: bytes, environment: Mapping[str, str], path: Path
) -> tuple[ToolServerSettings, ...]:
    """The servers in the text of the file at `path`, which is only named.

    `${NAME}` in any text stands for the environment variable, `${NAME:-other}` for `other`
    where that is not set. Raises `BadSettings` with all faults; no value is told in them.
    """
    try:
        listed = msgspec.json.decode(text)["mcpServers"]
        if not isinstance(listed, dict):
            raise TypeError
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadSettings([f"{path} is not JSON: {error}."]) from None
    except (KeyError, TypeError, IndexError):
        expected = '{"mcpServers": {NAME: {"command": …}}}'
        raise BadSettings([f"{path} has no object 'mcpServers': it must be {expected}."]) from None
    faults: list[str] = []
    servers = []
    for name, given in listed.items():
        found: list[str] = []
        server = _make_server(name, given, environment, found)
        faults += [f"{path}, server '{name}': {_sentence(fault)}" for fault in found]
        if server is not None:
            servers.append(server)
    if faults:
        raise BadSettings(faults)
    return tuple(servers)


def _make_server(
    name: str, given: object, environment: Mapping[str, str], faults: list[str]
) -> ToolServerSettings | None:
    if not NAME.match(name):
        faults.append(
            "a name is 1 to 32 of A-Z, a-z, 0-9, - and _, the last not at an end or twice in a row"
        )
    if not isinstance(given, dict):
        faults.append("it must be an object")
        return None
    members = dict(given)
    said = members.pop("type", "http" if "url" in members and "command" not in members else "stdio")
    transport = TRANSPORTS.get(said) if isinstance(said, str) else None
    if transport is None:
        faults.append("'type' must be stdio or http (streamable HTTP; nothing else is spoken)")
        return None
    kind: type[ToolServerSettings] = StdioServer if transport == "stdio" else HttpServer
    known = {field.encode_name: field for field in fields(kind) if field.name != "name"}
    for missing in [
        member for member, field in known.items() if field.required and member not in members
    ]:
        faults.append(f"'{missing}' is missing")
    values: dict[str, Any] = {"name": name}
    for member, value in members.items():
        if member not in known:
            faults.append(_unknown(member, known, transport))
            continue
        unset: list[str] = []
        spoken = _spoken(value, environment, unset)
        faults += [
            f"'{member}' names the environment variable {variable}, which is not set"
            for variable in unset
        ]
        wanted, description = _kind(known[member])
        try:
            values[known[member].name] = msgspec.convert(spoken, wanted)
        except msgspec.ValidationError:
            if not unset:
                faults.append(f"'{member}' must be {description}")
    return None if faults else kind(**values)


def _sentence(fault: str) -> str:
    return fault if fault.endswith("?") else f"{fault}."


def _unknown(member: str, known: Mapping[str, object], transport: str) -> str:
    close = difflib.get_close_matches(member, known, n=1)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    return f"'{member}' is unknown for a server of type {transport}{meant}"


def _kind(field: FieldInfo) -> tuple[Any, str]:
    declared = field.type
    alternatives = get_args(declared)
    if NoneType in alternatives:
        declared = alternatives[0]
    return declared, declared.__metadata__[0].description


def _spoken(value: object, environment: Mapping[str, str], unset: list[str]) -> object:
    """The value with its variables replaced; those that are not set are noted."""

    def replaced(found: re.Match[str]) -> str:
        name, otherwise = found.group(1), found.group(2)
        text = environment.get(name, otherwise)
        if text is None:
            unset.append(name)
        return text or ""

    if isinstance(value, str):
        return VARIABLE.sub(replaced, value)
    if isinstance(value, list):
        return [_spoken(one, environment, unset) for one in value]
    if isinstance(value, dict):
        return {name: _spoken(one, environment, unset) for name, one in value.items()}
    return value
