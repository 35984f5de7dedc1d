"""Where settings are said: flags over the environment over `.env`, and every fault at once."""

import difflib
import os
from collections.abc import Iterator, Mapping
from io import StringIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
from dotenv.parser import parse_stream

from turnlog.config.faults import BadSettings
from turnlog.config.settings import KINDS, Settings, allowed, is_secret
from turnlog.config.tool_servers import ToolServerSettings, make_tool_servers


def _variables(name: str) -> tuple[str, ...]:
    """The environment variables that set a member, the one that counts first."""
    if name.startswith(("openai_", "anthropic_", "openrouter_", "local_")):
        return (name.upper(),)
    if name == "database_url":
        return ("TURNLOG_DATABASE_URL", "DATABASE_URL")
    return (f"TURNLOG_{name.upper()}",)


VARIABLES: dict[str, str] = {variable: name for name in KINDS for variable in _variables(name)}
# PostgreSQL's clients read the latter, ours too.
_OURS = ("TURNLOG_", "PG")
FOR_TESTS = frozenset({"TURNLOG_TEST_DATABASE_URL"})


def load_settings(flags: Mapping[str, object], env_file: Path = Path(".env")) -> Settings:
    """The settings of this process, from its environment and the `.env` of its folder.

    Raises `BadSettings`, also where a file that the settings name cannot be.
    """
    settings = make_settings(flags, os.environ, _text_of(env_file))
    load_tool_servers(settings, env_file)
    return settings


def load_tool_servers(
    settings: Settings, env_file: Path = Path(".env")
) -> tuple[ToolServerSettings, ...]:
    """The servers in the file that the settings name, none without one. Raises `BadSettings`."""
    path = settings.mcp_servers
    if path is None:
        return ()
    environment = {**_read_dotenv(_text_of(env_file), []), **os.environ}
    try:
        return make_tool_servers(path.read_bytes(), environment, path)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise BadSettings([f"TURNLOG_MCP_SERVERS is '{path}': {reason}."]) from None


def _text_of(env_file: Path) -> str:
    return env_file.read_text(encoding="utf-8-sig") if env_file.is_file() else ""


def make_settings(
    flags: Mapping[str, object], environ: Mapping[str, str], dotenv: str = ""
) -> Settings:
    """Join what was said in the three places; an empty value says nothing, nor does a flag `None`.

    `flags` are named as the members of `Settings`. Raises `BadSettings` with all faults.
    """
    faults: list[str] = []
    said = {**_read_dotenv(dotenv, faults), **environ}
    faults += [_unknown(name) for name in sorted(said) if _is_unknown(name)]

    given: dict[str, tuple[str, object]] = {}
    for variable, name in VARIABLES.items():
        if text := said.get(variable, "").strip():
            given.setdefault(name, (variable, text))
    for name, flag in flags.items():
        if flag is not None:
            given[name] = ("--" + name.replace("_", "-"), flag)

    values: dict[str, Any] = {}
    for name, (source, value) in given.items():
        try:
            values[name] = msgspec.convert(value, KINDS[name], strict=False, dec_hook=_construct)
        except msgspec.ValidationError:
            shown = "not valid" if is_secret(name) else f"'{value}'"
            faults.append(f"{source} is {shown}: it must be {allowed(name)}.")

    settings = Settings(**values)
    faults += [
        f"{given[name][0]} is '{getattr(settings, name)}': {reason}."
        for name, reason in _contradictions(settings)
    ]
    if faults:
        raise BadSettings(faults)
    home = environ.get("HOME", "~")
    return msgspec.structs.replace(
        settings,
        data_dir=_expand(settings.data_dir, home),
        workspace=settings.workspace and _expand(settings.workspace, home),
        mcp_servers=settings.mcp_servers and _expand(settings.mcp_servers, home),
    )


def _read_dotenv(text: str, faults: list[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for line in parse_stream(StringIO(text)):
        if line.error:
            faults.append(f".env, line {line.original.line}: this is not NAME=VALUE.")
        elif line.key is not None:
            said[line.key] = line.value or ""
    return said


def _is_unknown(variable: str) -> bool:
    return variable.startswith("TURNLOG_") and variable not in {*VARIABLES, *FOR_TESTS}


def _unknown(variable: str) -> str:
    endings = {known.removeprefix("TURNLOG_"): known for known in reversed(VARIABLES)}
    close = difflib.get_close_matches(variable.removeprefix("TURNLOG_"), endings, n=1)
    return f"{variable} is unknown" + (f"; did you mean {endings[close[0]]}?" if close else ".")


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    """Members that are well formed and still cannot be. Defaults are never among them."""
    if not _is_loopback(settings.host):
        yield "host", "without keys only loopback can be served (127.0.0.1, ::1 or localhost)"
    if settings.shell != "off" and settings.workspace is None:
        yield "shell", "commands run in the workspace, so TURNLOG_WORKSPACE has to be set too"
    for name in settings.shell_variables:
        if name in VARIABLES or name.startswith(_OURS):
            yield "shell_env", f"{name} is for this server alone, and no command is given it"
    if settings.ephemeral and settings.workers > 1:
        yield "workers", "an ephemeral server keeps its log in one process"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _expand(path: Path, home: str) -> Path:
    return Path(home, *path.parts[1:]) if path.parts[:1] == ("~",) else path


def _construct(kind: type, value: object) -> object:
    return kind(value)
