"""A very small HTTP server in a thread of its own: it answers whatever the event loop does.

GET and HEAD, one answer a connection, and no patience with slow clients.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

import structlog

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

PATIENCE = 5.0  # seconds for a request and its answer, from the first byte to the last
MOST_CONNECTIONS = 32  # at once; more are turned away
LONGEST_HEAD = 8_192  # bytes of a request


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        body: its bytes.
        content_type: what they are.
    """

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Answer = Callable[[str], Awaitable[Response]]


def plain(status: HTTPStatus) -> Response:
    """An answer that says its status and no more."""
    return Response(status, f"{status.phrase}\n".encode())


class HttpServer:
    """Serves until it is stopped.

    Args:
        answer: the answer for a path; called on the event loop of the server's own thread.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._connections = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def start(self, host: str, ports: Iterable[int]) -> tuple[str, int]:
        """Listen on the first of these ports that is free; returns the address.

        Raises:
            OSError: the host is none of this machine, or no port is free.
        """
        listener = _bind(host, ports)
        address: tuple[str, int] = listener.getsockname()[:2]
        begun = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, begun)), name="http", daemon=True
        )
        self._thread.start()
        begun.wait()
        return address

    def stop(self) -> None:
        """End; returns when the thread has."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    async def _serve(self, listener: socket.socket, begun: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._handle, sock=listener, limit=LONGEST_HEAD)
        begun.set()
        await self._stopping.wait()
        server.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= MOST_CONNECTIONS:
                async with asyncio.timeout(PATIENCE):
                    await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError):  # of the client: time-outs and resets too
            pass  # slow, or gone: it is owed nothing
        finally:
            self._connections -= 1
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            response, has_body = plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), True
        else:
            method, path = _parse(head)
            response, has_body = await self._respond(method, path), method != "HEAD"
        writer.write(_head(response))
        if has_body:
            writer.write(response.body)
        await writer.drain()
        writer.write_eof()
        await reader.read()  # until the client has it all and closes: an abort could cut it off

    async def _respond(self, method: str, path: str) -> Response:
        if not path:
            return plain(HTTPStatus.BAD_REQUEST)
        if method not in {"GET", "HEAD"}:
            return plain(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return await self._answer(path)
        except Exception:
            log.exception("endpoint.failed", path=path)
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def _bind(host: str, ports: Iterable[int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    refused: OSError | None = None
    for port in ports:
        try:
            return socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            refused = error
    raise refused or OSError("no port was given")


def _parse(head: bytes) -> tuple[str, str]:
    """Method and path of a request; an empty path if it is none."""
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004  "GET / HTTP/1.1"
        return "", ""
    return words[0], words[1].partition("?")[0]


def _head(response: Response) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if response.status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET, HEAD")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
