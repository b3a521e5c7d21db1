"""Enqueue in Django's transactions: its connection wraps psycopg's, opened when first used."""

from __future__ import annotations

from typing import Any


def is_django(found: object) -> bool:
    """Whether it is a connection of Django's, without importing Django."""
    return any(base.__module__.startswith("django.") for base in type(found).__mro__)


def driver_connection(connection: Any) -> object:  # noqa: ANN401  Django's, which is optional
    """What it wraps: psycopg's, or that of another driver or database."""
    connection.ensure_connection()
    wrapped: object = connection.connection
    return wrapped
