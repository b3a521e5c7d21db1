"""Orders: the tables of the shop, and what the web application does with them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg

from queue_worker import SyncQueueClient
from shop.jobs import Receipt, send_receipt

TABLES = """
    CREATE TABLE customer_order (
        order_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        email    text NOT NULL,
        total    numeric NOT NULL CHECK (total > 0),
        placed_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE TABLE receipt (
        order_id bigint PRIMARY KEY REFERENCES customer_order,
        text     text NOT NULL
    );
    CREATE TABLE daily_sales (
        day   date PRIMARY KEY,
        total numeric NOT NULL
    )
"""


def create_tables(dsn: str) -> None:
    """Make the tables of the shop."""
    with psycopg.connect(dsn) as connection:
        connection.execute(TABLES)


def place_order(
    connection: psycopg.Connection[tuple[Any, ...]],
    queue: SyncQueueClient,
    email: str,
    total: Decimal,
) -> int:
    """Take in an order and enqueue its receipt, in one transaction: both happen, or neither."""
    with connection.transaction():
        row = connection.execute(
            "INSERT INTO customer_order (email, total) VALUES (%s, %s) RETURNING order_id",
            (email, total),
        ).fetchone()
        assert row is not None
        order_id: int = row[0]
        queue.enqueue(send_receipt, Receipt(order_id=order_id), connection=connection)
        if total > Decimal(10_000):
            raise ValueError("An order of more than 10,000 is taken by telephone.")
    return order_id
