"""What may be set: names, kinds, bounds and defaults."""

from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct
from msgspec.structs import fields

Port = Annotated[int, Meta(ge=0, le=65_535, description="a number from 0 to 65535")]
Seconds = Annotated[
    float, Meta(gt=0, le=86_400, description="a number of seconds above 0, 86400 at most")
]
LongSeconds = Annotated[
    float, Meta(gt=0, le=31_536_000, description="a number of seconds above 0, 31536000 at most")
]
Interval = Annotated[float, Meta(ge=0, le=1, description="a number of seconds from 0 to 1")]
Workers = Annotated[int, Meta(ge=1, le=256, description="a number from 1 to 256")]
Buckets = Annotated[int, Meta(ge=1, le=256, description="a number from 1 to 256")]
Switch = Annotated[bool, Meta(description="0 or 1")]
Text = Annotated[str, Meta(description="text")]
Modules = Annotated[
    str, Meta(description="modules with tools, separated by commas: module or module:attribute")
]
Folder = Annotated[Path, Meta(description="a path")]
File = Annotated[Path, Meta(description="a path")]
Language = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9_]{1,63}$", description="a text search configuration of PostgreSQL"),
]
Dialect = Annotated[Literal["turnlog", "codex"], Meta(description="turnlog or codex")]
Shell = Annotated[
    Literal["off", "confined", "unconfined"], Meta(description="off, confined or unconfined")
]
Variables = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*( *, *[A-Za-z_][A-Za-z0-9_]*)*$",
        description="names of variables with commas between them",
    ),
]
LogFormat = Annotated[Literal["console", "json"], Meta(description="console or json")]
HttpUrl = Annotated[
    str, Meta(pattern=r"^https?://[^/\s]", description="a URL that begins with http:// or https://")
]
DatabaseUrl = Annotated[
    str,
    Meta(
        pattern=r"^postgres(ql)?://",
        description="a URL that begins with postgresql://",
        extra={"secret": True},
    ),
]
# What an HTTP header can carry, in which all of them are sent.
Secret = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]+$",
        description="printable ASCII without spaces",
        extra={"secret": True},
    ),
]


class Settings(Struct, frozen=True, kw_only=True):
    """All that an operator may say. Timeouts are in seconds."""

    host: Text = "127.0.0.1"
    port: Port = 8470
    data_dir: Folder = Path("~/.local/share/turnlog")
    database_url: DatabaseUrl | None = None
    workers: Workers = 1
    ephemeral: Switch = False
    migrate: Switch = True
    buckets: Buckets = 8
    workspace: Folder | None = None
    mcp_servers: File | None = None
    tools: Modules = ""
    shell: Shell = "off"
    shell_env: Variables | None = None
    shell_timeout: Seconds = 60.0
    default_dialect: Dialect = "turnlog"
    search_language: Language = "english"
    node_timeout: Seconds = 5.0
    stall_timeout: Seconds = 120.0
    text_interval: Interval = 0.0
    action_timeout: LongSeconds = 604_800.0
    webhook_private_addresses: Switch = False
    log_format: LogFormat = "console"

    openai_api_key: Secret | None = None
    openai_base_url: HttpUrl | None = None
    anthropic_api_key: Secret | None = None
    anthropic_base_url: HttpUrl | None = None
    openrouter_api_key: Secret | None = None
    openrouter_base_url: HttpUrl | None = None
    local_api_key: Secret | None = None
    local_base_url: HttpUrl | None = None

    @property
    def shell_variables(self) -> list[str]:
        """The names in `shell_env`."""
        return [name.strip() for name in (self.shell_env or "").split(",") if name.strip()]

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = {name: getattr(self, name) for name in KINDS}
        hidden = {name: "…" for name in shown if shown[name] is not None and is_secret(name)}
        return list({**shown, **hidden}.items())

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={it!r}' for name, it in self.__rich_repr__())})"


def _kind(declared: Any) -> Any:
    """`Annotated[…]` of `Annotated[…] | None`: absence is never said, it is not saying."""
    alternatives = get_args(declared)
    return alternatives[0] if NoneType in alternatives else declared


KINDS: Mapping[str, Any] = {field.name: _kind(field.type) for field in fields(Settings)}


def is_secret(name: str) -> bool:
    return bool((_meta(name).extra or {}).get("secret"))


def allowed(name: str) -> str:
    """What a value of this member has to be, in words."""
    return _meta(name).description or ""


def _meta(name: str) -> Meta:
    meta: Meta = KINDS[name].__metadata__[0]
    return meta
