"""The jobs of the shop."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry, RetryPolicy, cron
from shop import mail

registry = JobRegistry()


class Receipt(BaseModel):
    order_id: int


@registry.job(
    "shop.send_receipt",
    args=Receipt,
    timeout=timedelta(seconds=30),
    retry=RetryPolicy(3, wait=timedelta(minutes=1)),
)
async def send_receipt(ctx: JobContext, args: Receipt) -> None:
    """Mail the receipt of an order, once: it is written down in the transaction that fences it."""
    async with ctx.connection() as connection:
        cursor = await connection.execute(
            """
            INSERT INTO receipt (order_id, text)
            SELECT order_id, format('Thank you for %%s euros.', total)
            FROM customer_order
            WHERE order_id = %s
            ON CONFLICT DO NOTHING
            RETURNING text, (SELECT email FROM customer_order WHERE order_id = receipt.order_id)
            """,
            (args.order_id,),
        )
        row = await cursor.fetchone()
        if row is not None:
            text, email = row
            await mail.send(email, text)


@registry.job(
    "shop.sum_up_day",
    schedule=cron("30 0 * * *", timezone="Europe/Berlin"),
    timeout=timedelta(minutes=5),
)
async def sum_up_day(ctx: JobContext) -> None:
    """Sum up the sales of each day so far."""
    async with ctx.connection() as connection:
        await connection.execute(
            """
            INSERT INTO daily_sales (day, total)
            SELECT (placed_at AT TIME ZONE 'Europe/Berlin')::date, sum(total)
            FROM customer_order
            GROUP BY 1
            ON CONFLICT (day) DO UPDATE SET total = excluded.total
            """
        )


class Export(BaseModel):
    day: str


@registry.job("shop.export_day", args=Export, timeout=timedelta(minutes=5))
def export_day(ctx: JobContext, args: Export) -> None:
    """Write the sales of a day where the accountants find them; a plain `def` may block."""
    with ctx.sync_connection() as connection:
        row = connection.execute(
            "SELECT total FROM daily_sales WHERE day = %s", (args.day,)
        ).fetchone()
    if row is None:
        raise LookupError(f"{args.day} is not summed up yet")
    ctx.log.info("day.exported", day=args.day, total=str(row[0]))
