"""`queue-worker top`: what goes on, live in the terminal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.live import Live

from queue_worker.cli.feed import Feed
from queue_worker.cli.invocation import Invocation
from queue_worker.cli.keyboard import END, Keyboard
from queue_worker.cli.output import out
from queue_worker.cli.screen import render

_LOOK = 0.2  # seconds until a key, a new size or news is noticed


def top(
    context: typer.Context,
    interval: Annotated[
        float, typer.Option(min=0.2, max=3600, metavar="SECONDS", help="How often to look.")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False,
) -> None:
    """Watch workers, queues, runs, next ticks and failures, until q is pressed.

    Where there is no terminal it is printed once.
    """
    invocation: Invocation = context.obj
    feed = Feed(invocation.settings(), interval)
    if once or not out.is_terminal or out.is_dumb_terminal:
        out.print(render(feed.news))
        return
    with _restored_when_ended(), Keyboard() as keyboard:
        feed.start()
        _show(feed, keyboard)


def _show(feed: Feed, keyboard: Keyboard) -> None:
    """Draw again whenever there is something new or the terminal has another size."""
    shown: tuple[object, ...] = ()
    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            news, size = feed.news, out.size
            if shown != (news, size):
                live.update(render(news, size), refresh=True)
                shown = (news, size)
            if {"q", "Q", END} & set(keyboard.pressed(_LOOK)):
                return


@contextmanager
def _restored_when_ended() -> Iterator[None]:
    """Ctrl-C is a way to quit; a signal that ends the process lets it clean up the screen."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        yield
    except KeyboardInterrupt:
        return


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
