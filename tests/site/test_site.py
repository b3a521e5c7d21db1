"""The site in a real browser: on a phone and on a desk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.site.conftest import BUILD
from tests.support.browser import NEEDED
from tests.support.chromium import Chromium, chromium
from tests.support.processes import REPOSITORY

PHONE = (390, 844)
DESK = (1280, 800)
LOOK = """({
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
    heading: document.querySelector("article :is(h1, h2)")?.getBoundingClientRect().width ?? 0,
    menu: [...document.querySelectorAll(".sidebar-tree a.reference")].filter(seen).length,
    button: seen(document.querySelector(".mobile-header .nav-overlay-icon")),
})"""
SEEN = """
    window.seen = (element) => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && box.right > 0 && box.left < innerWidth;
    };
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def pages_of(site: Path) -> list[str]:
    """All but the search, which is empty unless somebody searches."""
    found = {page.relative_to(site).as_posix() for page in site.rglob("*.html")}
    return sorted(found - {"search.html"})


@NEEDED
@pytest.mark.timeout(300)  # with the build a minute, unless the machine has other things to do
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_fits_and_asks_nothing_of_anybody_else(
    site: Path, address: str, browser: Chromium, size: tuple[int, int]
) -> None:
    browser.resize(*size)
    wrong = {}
    for page in pages_of(site):
        problems = browser.open(f"{address}/{page}")
        browser.evaluate(SEEN)
        look = browser.evaluate(LOOK)
        if look["overflow"] > 0 or look["broken"] or not 0 < look["heading"] <= size[0]:
            problems.append(str(look))
        if look["button"] is not (size == PHONE) or (look["menu"] > 5) is not (size == DESK):
            problems.append(f"the way to other pages is not seen: {look}")
        if problems:
            wrong[page] = problems
    assert wrong == {}


@NEEDED
def test_on_a_phone_the_button_opens_the_menu(address: str, browser: Chromium) -> None:
    browser.resize(*PHONE)
    browser.open(f"{address}/TUTORIAL.html")
    browser.evaluate(SEEN)
    browser.evaluate('document.querySelector(".mobile-header .nav-overlay-icon").click()')
    opened = "new Promise(done => setTimeout(() => done(" + LOOK + '["menu"]), 400))'
    assert browser.evaluate(opened) > 5


@NEEDED
def test_the_search_finds_a_setting(address: str, browser: Chromium) -> None:
    browser.resize(*DESK)
    assert browser.open(f"{address}/search.html?q=QUEUE_WORKER_ALERT_WINDOW") == []
    found = """new Promise(done => { const look = () => {
        const links = [...document.querySelectorAll("#search-results li a")].map(a => a.href);
        links.length ? done(links) : setTimeout(look, 20);
    }; look(); })"""
    assert any("ENVIRONMENT.html" in link for link in browser.evaluate(found))


def test_make_builds_it_as_it_is_tested() -> None:
    assert f"$(BIN)/python {BUILD} dist-site" in (REPOSITORY / "Makefile").read_text()
