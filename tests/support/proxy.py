"""A TCP proxy between a worker and its server, which does to connections what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo

CHUNK = 65_536


@dataclass(eq=False)
class _Link:
    """One connection through the proxy: the client's end and the server's."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_black_hole: bool = False


class Proxy:
    """Forwards, until it is told otherwise.

    A connection that was swallowed once stays half open for ever: both sides believe in it.
    """

    def __init__(self, dsn: str) -> None:
        target = conninfo_to_dict(dsn)
        self._host, self._port = str(target["host"]), int(str(target["port"]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.dsn = make_conninfo(dsn, host="127.0.0.1", port=self._listener.getsockname()[1])
        self._new: Literal["forward", "refuse", "swallow"] = "forward"
        self._links: set[_Link] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def forward(self) -> None:
        """New connections work again."""
        self._new = "forward"

    def refuse(self) -> None:
        """New connections are closed at once; those that exist go on."""
        self._new = "refuse"

    def swallow(self) -> None:
        """Connections stay open, but nothing arrives any more, on new ones neither."""
        self._new = "swallow"
        self._on_loop(self._make_black_holes)

    def cut(self) -> None:
        """Every connection breaks."""
        self._on_loop(self._abort_all)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._on_loop(self._abort_all)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        accepting = self._loop.run_until_complete(
            asyncio.start_server(self._accept, sock=self._listener)
        )
        self._loop.run_forever()
        accepting.close()
        self._abort_all()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def _on_loop(self, change: Callable[[], None]) -> None:
        done = threading.Event()

        def carry_out() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(carry_out)
        done.wait(10)

    def _make_black_holes(self) -> None:
        for link in self._links:
            link.is_black_hole = True

    def _abort_all(self) -> None:
        for client in self._clients:
            client.transport.abort()
        for link in self._links:
            link.server.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._clients.add(client)
        try:
            if self._new == "refuse":
                client.transport.abort()
            elif self._new == "swallow":
                with contextlib.suppress(OSError):
                    while await reader.read(CHUNK):
                        pass
            else:
                await self._join(reader, client)
        finally:
            client.close()
            self._clients.discard(client)
            self._tasks.discard(task)

    async def _join(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            from_server, server = await asyncio.open_connection(self._host, self._port)
        except OSError:
            return
        link = _Link(client, server)
        self._links.add(link)
        try:
            await asyncio.gather(_pump(from_client, server, link), _pump(from_server, client, link))
        finally:
            self._links.discard(link)
            server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            if not link.is_black_hole:
                writer.write(data)
                await writer.drain()
    if not link.is_black_hole:
        writer.close()


@contextmanager
def proxy_to(dsn: str) -> Iterator[Proxy]:
    """A proxy to the server of this DSN, for as long as the block lasts."""
    proxy = Proxy(dsn)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
