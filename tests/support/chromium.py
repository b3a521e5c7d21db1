"""A real browser that can be asked: Chromium without a screen, over its own protocol.

Its pipe is enough (messages of JSON, each ended by a zero byte); a driver would bring a browser or a
Node of its own.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.browser import BROWSER

Message = dict[str, Any]


class Chromium:
    """One tab. What goes wrong in it is kept until it is asked for."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[Message] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def resize(self, width: int, height: int) -> None:
        """The window, or the phone, has this size from now on."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def open(self, url: str) -> list[str]:
        """Load a page in whole; returns what went wrong, and what was asked of other hosts."""
        self._events.clear()
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._read())
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        origin = "/".join(url.split("/")[:3])
        return [problem for event in self._events if (problem := _problem(event, origin))]

    def evaluate(self, script: str) -> Any:
        """What a script makes of the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def photograph(self, path: Path) -> None:
        """What is seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message: Message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self._events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self) -> Message:
        while b"\0" not in self._rest:
            part = os.read(self._answers, 65_536)
            assert part, "the browser has ended"
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        message: Message = json.loads(text)
        return message


def _problem(event: Message, origin: str) -> str | None:
    told = event.get("params", {})
    found = None
    match event["method"]:
        case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning", "assert"}:
            found = f"console: {told['args']}"
        case "Runtime.exceptionThrown":
            found = f"exception: {told['exceptionDetails']}"
        case "Log.entryAdded" if told["entry"]["level"] in {"error", "warning"}:
            found = f"log: {told['entry']['text']} {told['entry'].get('url', '')}"
        case "Network.loadingFailed":
            found = f"failed: {told['errorText']}"
        case "Network.responseReceived" if told["response"]["status"] >= 400:
            found = f"{told['response']['status']}: {told['response']['url']}"
        case "Network.requestWillBeSent" if not _is_own(told["request"]["url"], origin):
            found = f"another host: {told['request']['url']}"
    return found


def _is_own(url: str, origin: str) -> bool:
    return url.startswith((f"{origin}/", "data:"))


@contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """A browser that lives as long as the block."""
    assert BROWSER is not None
    its_requests, requests = os.pipe()
    answers, its_answers = os.pipe()
    process = subprocess.Popen(
        [
            "bash", "-c", f'exec "$0" "$@" 3<&{its_requests} 4>&{its_answers}',
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--remote-debugging-pipe", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            f"--user-data-dir={folder / 'profile'}",
        ],
        pass_fds=(its_requests, its_answers), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(its_requests)
    os.close(its_answers)
    try:
        browser = Chromium(requests, answers)
        yield browser
        browser.call("Browser.close")
    finally:
        process.kill()
        process.wait()
        os.close(requests)
        os.close(answers)
