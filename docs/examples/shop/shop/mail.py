"""The mail of the shop; its tests put another function in place of this one."""

from __future__ import annotations


async def send(to: str, text: str) -> None:
    """Send a mail."""
    raise ConnectionError(f"This example has no mail server; {to} will not read {text!r}.")
