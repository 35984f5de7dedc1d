"""Settings: where they may be said, which place wins, and what is refused by name."""

from pathlib import Path

import pytest

from turnlog.config import VARIABLES, BadSettings, Settings, load_settings, make_settings

REPOSITORY = Path(__file__).parent.parent


def refused(
    environ: dict[str, str] | None = None, dotenv: str = "", **flags: object
) -> tuple[str, ...]:
    with pytest.raises(BadSettings) as refusal:
        make_settings(flags, environ or {}, dotenv)
    return refusal.value.faults


def test_nothing_needs_to_be_set() -> None:
    settings = make_settings({}, {"HOME": "/home/ada", "PATH": "/bin"})
    assert settings == Settings(data_dir=Path("/home/ada/.local/share/turnlog"))
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8470, 1)


def test_the_environment_beats_the_file_and_a_flag_beats_both() -> None:
    dotenv = "TURNLOG_PORT=1\nTURNLOG_WORKERS=2\nTURNLOG_BUCKETS=4\n"
    environ = {"TURNLOG_PORT": "10", "TURNLOG_WORKERS": "20"}
    settings = make_settings({"port": 100, "workers": None}, environ, dotenv)
    assert (settings.port, settings.workers, settings.buckets) == (100, 20, 4)


def test_every_setting_can_be_said_in_the_environment() -> None:
    settings = make_settings(
        {},
        {
            "HOME": "/home/ada",
            "TURNLOG_HOST": "::1",
            "TURNLOG_DATA_DIR": "~/log",
            "TURNLOG_WORKSPACE": "/srv/code",
            "TURNLOG_MCP_SERVERS": "~/servers.json",
            "TURNLOG_SHELL": "confined",
            "TURNLOG_SHELL_ENV": "LC_ALL, EDITOR",
            "TURNLOG_SHELL_TIMEOUT": "300",
            "TURNLOG_DATABASE_URL": "postgresql://ada@db/turnlog",
            "TURNLOG_DEFAULT_DIALECT": "codex",
            "TURNLOG_NODE_TIMEOUT": "2.5",
            "TURNLOG_STALL_TIMEOUT": "60",
            "TURNLOG_TEXT_INTERVAL": "0.04",
            "TURNLOG_LOG_FORMAT": "json",
            "TURNLOG_MIGRATE": "0",
            "ANTHROPIC_API_KEY": "sk-ant",
            "LOCAL_BASE_URL": "http://localhost:11434/v1",
        },
    )
    assert settings == Settings(
        host="::1",
        data_dir=Path("/home/ada/log"),
        workspace=Path("/srv/code"),
        mcp_servers=Path("/home/ada/servers.json"),
        shell="confined",
        shell_env="LC_ALL, EDITOR",
        shell_timeout=300.0,
        database_url="postgresql://ada@db/turnlog",
        default_dialect="codex",
        node_timeout=2.5,
        stall_timeout=60.0,
        text_interval=0.04,
        log_format="json",
        migrate=False,
        anthropic_api_key="sk-ant",
        local_base_url="http://localhost:11434/v1",
    )


def test_an_empty_value_says_nothing() -> None:
    assert make_settings({}, {"TURNLOG_PORT": "", "OPENAI_API_KEY": " "}) == make_settings({}, {})


def test_our_own_name_of_the_database_beats_the_common_one() -> None:
    common = {"DATABASE_URL": "postgres://common"}
    ours = {"TURNLOG_DATABASE_URL": "postgresql://ours"}
    assert make_settings({}, common).database_url == "postgres://common"
    assert make_settings({}, common | ours).database_url == "postgresql://ours"


def test_a_value_in_the_file_is_taken_as_it_is_written() -> None:
    dotenv = "# keys\nexport OPENAI_API_KEY='sk-$HOME#1' # mine\nOTHER=ignored\nBARE\n"
    assert make_settings({}, {}, dotenv).openai_api_key == "sk-$HOME#1"


def test_the_file_is_read_from_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"port": 1}).port == 1
    Path(".env").write_text("TURNLOG_PORT=2\n")
    assert load_settings({}).port == 2


def test_an_unknown_name_is_refused_with_the_one_that_was_meant() -> None:
    assert refused({"TURNLOG_WORKER": "2"}) == (
        "TURNLOG_WORKER is unknown; did you mean TURNLOG_WORKERS?",
    )
    assert refused({"TURNLOG_OPENAI_API_KEY": "sk"}) == (
        "TURNLOG_OPENAI_API_KEY is unknown; did you mean OPENAI_API_KEY?",
    )
    assert refused(dotenv="TURNLOG_QQQQ=1") == ("TURNLOG_QQQQ is unknown.",)


def test_all_faults_are_told_at_once() -> None:
    faults = refused(
        {"TURNLOG_PORT": "http", "TURNLOG_LOG_FORMAT": "xml", "TURNLOG_BUKETS": "8"},
        "not a setting\n",
        workers=0,
    )
    assert faults == (
        ".env, line 1: this is not NAME=VALUE.",
        "TURNLOG_BUKETS is unknown; did you mean TURNLOG_BUCKETS?",
        "TURNLOG_PORT is 'http': it must be a number from 0 to 65535.",
        "TURNLOG_LOG_FORMAT is 'xml': it must be console or json.",
        "--workers is '0': it must be a number from 1 to 256.",
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TURNLOG_PORT", "65536"),
        ("TURNLOG_PORT", "-1"),
        ("TURNLOG_WORKERS", "1.5"),
        ("TURNLOG_BUCKETS", "257"),
        ("TURNLOG_NODE_TIMEOUT", "0"),
        ("TURNLOG_STALL_TIMEOUT", "nan"),
        ("TURNLOG_STALL_TIMEOUT", "2m"),
        ("TURNLOG_TEXT_INTERVAL", "40"),
        ("TURNLOG_TEXT_INTERVAL", "nan"),
        ("TURNLOG_MIGRATE", "maybe"),
        ("TURNLOG_DEFAULT_DIALECT", "latin"),
        ("TURNLOG_SHELL", "on"),
        ("TURNLOG_SHELL", "confined"),
        ("TURNLOG_SHELL", "unconfined"),
        ("TURNLOG_SHELL_ENV", "LC_ALL EDITOR"),
        ("TURNLOG_SHELL_ENV", "A=b"),
        ("TURNLOG_SHELL_ENV", "A,"),
        ("TURNLOG_SHELL_TIMEOUT", "0"),
        ("OPENAI_BASE_URL", "api.example.com"),
        ("TURNLOG_HOST", "0.0.0.0"),
        ("TURNLOG_HOST", "example.com"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(variable: str, value: str) -> None:
    (fault,) = refused({variable: value})
    assert fault.startswith(f"{variable} is '{value}': ")


def test_an_ephemeral_server_is_one_process() -> None:
    assert refused(ephemeral=True, workers=2) == (
        "--workers is '2': an ephemeral server keeps its log in one process.",
    )


def test_commands_run_in_a_workspace() -> None:
    assert refused({"TURNLOG_SHELL": "confined"}) == (
        "TURNLOG_SHELL is 'confined': commands run in the workspace, so TURNLOG_WORKSPACE has to "
        "be set too.",
    )


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_API_KEY", "DATABASE_URL", "TURNLOG_DATABASE_URL", "PGPASSWORD"]
)
def test_commands_are_given_nothing_that_is_the_servers(name: str) -> None:
    assert refused({"TURNLOG_SHELL_ENV": f"EDITOR,{name}"}) == (
        f"TURNLOG_SHELL_ENV is 'EDITOR,{name}': {name} is for this server alone, and no command "
        "is given it.",
    )


def test_the_names_of_variables_may_stand_apart() -> None:
    assert make_settings({}, {"TURNLOG_SHELL_ENV": "A , B_2,C"}).shell_variables == [
        "A",
        "B_2",
        "C",
    ]
    assert make_settings({}, {}).shell_variables == []


def test_secrets_are_never_shown() -> None:
    secrets = {
        "TURNLOG_DATABASE_URL": "postgresql://ada:hush@db/turnlog",
        "OPENAI_API_KEY": "hush",
    }
    settings = make_settings({}, secrets)
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings.__rich_repr__())
    (fault,) = refused({"DATABASE_URL": "mysql://ada:hush@db"})
    assert fault == "DATABASE_URL is not valid: it must be a URL that begins with postgresql://."


@pytest.mark.parametrize("key", ["sk-with\nbreak", "two words", "sk-…"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_told(key: str) -> None:
    (fault,) = refused({"OPENAI_API_KEY": key})
    assert fault == "OPENAI_API_KEY is not valid: it must be printable ASCII without spaces."


def test_the_example_file_names_every_setting_with_its_default() -> None:
    example = (REPOSITORY / ".env.example").read_text()
    lines = [line.removeprefix("# ") for line in example.splitlines() if "=" in line]
    assert {line.partition("=")[0] for line in lines} == VARIABLES.keys() - {"DATABASE_URL"}
    assert make_settings({}, {}, "\n".join(lines)) == make_settings({}, {})
