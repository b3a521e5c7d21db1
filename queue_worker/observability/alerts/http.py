"""HTTP for sinks: within a time limit, never redirected, and to private addresses only if allowed.

The address that was checked is the one that is connected to: a name that resolves to another one a
moment later gains nothing.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from queue_worker.errors import SinkDown, SinkRefused
from queue_worker.observability.alerts.message import presentable

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ANSWER_CHARACTERS = 200
_ANSWER_BYTES = 2_000
_BUSY = 429


class Poster:
    """Posts JSON for one sink.

    Args:
        timeout: seconds for the whole exchange.
        allow_private: whether the address may be a private or loopback one.
    """

    def __init__(self, *, timeout: float, allow_private: bool) -> None:
        self._timeout = timeout
        self._allow_private = allow_private

    async def post(self, url: str, body: Any, headers: Mapping[str, str] | None = None) -> str:  # noqa: ANN401  any JSON value
        """Post a value as JSON; returns the answer, shortened."""
        return await self.post_bytes(url, json.dumps(body).encode(), headers)

    async def post_bytes(
        self, url: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> str:
        """Post bytes that are JSON; returns the answer, shortened.

        Raises:
            SinkRefused: it was refused or redirected.
            SinkDown: no answer in time, or one that says: later.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post(httpx.URL(url), body, headers or {})
        except TimeoutError:
            raise SinkDown(f"no answer within {self._timeout:g} s") from None
        except (httpx.HTTPError, OSError) as error:
            raise SinkDown(f"no connection ({type(error).__name__})") from None

    async def _post(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> str:
        address = await self._resolve(url)
        ours = {"host": url.netloc.decode(), "content-type": "application/json"}
        async with (
            httpx.AsyncClient(
                follow_redirects=False, trust_env=False, verify=_tls(url.scheme)
            ) as client,
            client.stream(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers={**ours, **headers},
                extensions={"sni_hostname": url.host},
            ) as response,
        ):
            text = await _beginning(response)
        answer = f"{response.status_code} {presentable(text)[:_ANSWER_CHARACTERS]}".strip()
        if response.is_server_error or response.status_code == _BUSY:
            raise SinkDown(answer)
        if response.is_redirect:
            raise SinkRefused(f"{answer} (redirects are not followed)")
        if not response.is_success:
            raise SinkRefused(answer)
        return answer

    async def _resolve(self, url: httpx.URL) -> str:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not self._allow_private and any(map(is_private, addresses)):
            raise SinkRefused(
                "its address is private (QUEUE_WORKER_ALERT_ALLOW_PRIVATE=1 allows it)"
            )
        return addresses[0]


def is_private(address: str) -> bool:
    """Whether an address is not one of the public internet, in whatever form it is written."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        ip = inner or ip
    return not ip.is_global or ip.is_multicast


@functools.cache
def _tls(scheme: str) -> ssl.SSLContext | bool:
    """The certificates to trust; to read them takes long enough to do it once."""
    return httpx.create_ssl_context() if scheme == "https" else False


async def _beginning(response: httpx.Response) -> str:
    """The beginning of the answer: the rest of an endless one is not waited for."""
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > _ANSWER_BYTES:
            break
    return content[:_ANSWER_BYTES].decode(errors="replace")
