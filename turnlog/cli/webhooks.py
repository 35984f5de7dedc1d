"""`turnlog webhooks`: how they stand, trying one out, and resuming one that was disabled."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import msgspec
from cyclopts import App
from rich.console import Console
from rich.table import Table

from turnlog.cli.beside import FAILED, run_beside
from turnlog.domain.errors import DeliveryFailed
from turnlog.domain.identity import uuid7
from turnlog.domain.values import timestamp
from turnlog.domain.webhooks import WebhookStanding
from turnlog.runtime.application import TENANT, Turnlog

TEST_TYPE = "webhook.test"

webhooks_app = App(name="webhooks", help="Addresses that events are sent to.")
_out = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


@webhooks_app.command(name="list")
def show(*, database_url: str | None = None, data_dir: Path | None = None) -> None:
    """Show the webhooks, how far behind each is, and what keeps it.

    Parameters
    ----------
    database_url
        A PostgreSQL server to use instead of the embedded one.
    data_dir
        Where the embedded database lives (~/.local/share/turnlog).
    """
    run_beside(_list, database_url, data_dir)


@webhooks_app.command(name="test")
def try_out(
    webhook_id: UUID, *, database_url: str | None = None, data_dir: Path | None = None
) -> None:
    """Send a signed message of the type `webhook.test`, and say what became of it.

    Parameters
    ----------
    webhook_id
        One that `turnlog webhooks list` shows.
    database_url
        A PostgreSQL server to use instead of the embedded one.
    data_dir
        Where the embedded database lives (~/.local/share/turnlog).
    """
    run_beside(lambda turnlog: _test(turnlog, webhook_id), database_url, data_dir)


@webhooks_app.command
def resume(
    webhook_id: UUID, *, database_url: str | None = None, data_dir: Path | None = None
) -> None:
    """Send again to a webhook that was disabled, from where it stands; nothing was lost.

    Parameters
    ----------
    webhook_id
        One that `turnlog webhooks list` shows.
    database_url
        A PostgreSQL server to use instead of the embedded one.
    data_dir
        Where the embedded database lives (~/.local/share/turnlog).
    """
    run_beside(lambda turnlog: _resume(turnlog, webhook_id), database_url, data_dir)


async def _list(turnlog: Turnlog) -> int:
    standings = await turnlog.parts.webhooks.all(TENANT)
    if not standings:
        _out.print("There are no webhooks. POST /api/v1/webhooks makes one.")
        return 0
    table = Table("webhook", "url", "types", "behind", "state")
    for each in standings:
        hook = each.webhook
        types = ", ".join(hook.types)
        table.add_row(str(hook.webhook_id), hook.url, types, f"{each.behind:,}", _state(each))
    _out.print(table)
    return 0


def _state(standing: WebhookStanding) -> str:
    if reason := standing.webhook.disabled:
        return f"disabled: {reason}"
    if standing.failing_since is not None:
        return f"failing since {timestamp(standing.failing_since)}: {standing.last_error}"
    return "active"


async def _test(turnlog: Turnlog, webhook_id: UUID) -> int:
    hook = await turnlog.parts.webhooks.get(webhook_id)
    if hook is None:
        return _unknown(webhook_id)
    now = turnlog.parts.clock.now()
    body = {"type": TEST_TYPE, "timestamp": timestamp(now), "data": {"webhookId": webhook_id}}
    message_id = f"evt_test_{uuid7(now, os.urandom(8)).hex}"
    try:
        await turnlog.parts.webhook_sender.send(hook, message_id, msgspec.json.encode(body))
    except DeliveryFailed as failure:
        _errors.print(f"{hook.url} did not take it: {failure}", markup=False)
        return FAILED
    _out.print(f"{hook.url} took it.", markup=False)
    return 0


async def _resume(turnlog: Turnlog, webhook_id: UUID) -> int:
    if not await turnlog.parts.webhooks.resume(webhook_id):
        return _unknown(webhook_id)
    _out.print("It is sent to again.")
    return 0


def _unknown(webhook_id: UUID) -> int:
    _errors.print(f"There is no webhook '{webhook_id}'. See: turnlog webhooks list", markup=False)
    return FAILED
