"""Tools for a shop's orders, which are in a small SQLite database.

TURNLOG_TOOLS=examples/tools/orders.py make run
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Literal

from msgspec import Meta, Struct

from turnlog.toolkit import Call, ToolFailed, tool

DATABASE = Path(os.environ.get("SHOP_DATABASE") or Path(gettempdir()) / "turnlog-orders.db")

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, status TEXT, total REAL);
CREATE TABLE IF NOT EXISTS cancellations (key TEXT PRIMARY KEY, id TEXT, reason TEXT);
INSERT OR IGNORE INTO orders VALUES
  ('A-1001', 'paid', 19.99), ('A-1002', 'shipped', 250), ('A-1003', 'paid', 42.5);
"""

OrderId = Annotated[str, Meta(pattern=r"^[A-Z]-\d{4}$", description="As on the invoice: A-1001.")]


class Order(Struct, frozen=True):
    """What a shop knows of an order."""

    order_id: str
    status: Literal["paid", "shipped", "cancelled"]
    total: float


def _database() -> sqlite3.Connection:
    database = sqlite3.connect(DATABASE)
    database.executescript(SCHEMA)
    return database


# A plain function runs in a thread of its own, so it may wait for a disk or a network.
@tool(repeatable=True, seconds=5)
def order_status(order_id: OrderId) -> Order:
    """Look an order up: its status, and its total in euros."""
    with closing(_database()) as database:
        row = database.execute("SELECT * FROM orders WHERE id = ?", [order_id]).fetchone()
    if row is None:
        raise ToolFailed(f"There is no order {order_id}. list_orders tells which there are.")
    return Order(*row)


# It changes something: a person is asked, and the call's key makes it safe to repeat.
@tool(repeatable=True, approval="always", seconds=5)
def cancel_order(
    order_id: OrderId,
    reason: Annotated[str, Meta(min_length=1, description="For the customer.")],
    *,
    call: Call,
) -> str:
    """Cancel an order that was not shipped yet."""
    with closing(_database()) as database, database:
        database.execute("BEGIN IMMEDIATE")
        if database.execute("SELECT 1 FROM cancellations WHERE key = ?", [call.key]).fetchone():
            return f"{order_id} is cancelled."
        changed = database.execute(
            "UPDATE orders SET status = 'cancelled' WHERE id = ? AND status = 'paid'", [order_id]
        )
        if not changed.rowcount:
            raise ToolFailed(f"{order_id} cannot be cancelled: only what is paid and not shipped.")
        database.execute("INSERT INTO cancellations VALUES (?, ?, ?)", [call.key, order_id, reason])
    return f"{order_id} is cancelled."


# What an asynchronous generator yields is shown at once.
@tool(repeatable=True)
async def list_orders(
    status: Literal["paid", "shipped", "cancelled"] | None = None,
) -> AsyncIterator[str]:
    """List the orders, a line each; those of one status if it is given."""
    with closing(_database()) as database:
        rows = database.execute("SELECT * FROM orders ORDER BY id").fetchall()
    for order in (Order(*row) for row in rows):
        if status in (None, order.status):
            yield f"{order.order_id}  {order.status:<9}  {order.total:>8.2f}\n"
            await asyncio.sleep(0)
