"""What the logs tell, and what they must not."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAILING = """
import sys
import structlog
from turnlog.cli.logs import configure_logs

def fail(said):
    raise ValueError("what went wrong")

configure_logs(sys.argv[1])
try:
    fail("my " + "secret")
except ValueError:
    structlog.get_logger().exception("failed")
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_failure_is_told_without_what_was_said_in_it(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING, form], capture_output=True, text=True, check=True
    )
    assert "what went wrong" in done.stderr
    assert "ValueError" in done.stderr
    assert "my secret" not in done.stderr


QUOTING = """
import logging
from turnlog.cli.logs import configure_logs

configure_logs("json")
for name in ("mcp.client.streamable_http", "mcp.client.stdio", "client"):
    logging.getLogger(name).critical("cannot read my secret")
"""


def test_what_a_tool_server_said_is_not_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUOTING], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
