"""A real browser, without a screen: what it makes of a page."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
NEEDED = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium")
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_FRAME = """<!DOCTYPE html><meta charset="utf-8">
<iframe width="{width}" height="{height}" style="border: 0" srcdoc="{page}"></iframe>
<script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  const found = (() => {{ {script} }})();
  document.title = encodeURIComponent(JSON.stringify(found));
}};
</script>"""


def read_dom(path: Path, *options: str) -> str:
    """The page as it stands in the browser once it has loaded."""
    return _browse(path, "--dump-dom", *options)


def measure(
    page: str,
    script: str,
    folder: Path,
    *,
    width: int,
    height: int = 900,
    options: tuple[str, ...] = (),
) -> Any:
    """What a script that sees the page as `page` returns, in a window of this size.

    The page itself lets no script run: so it is looked at from outside, in a frame.
    """
    assert _POLICY.search(page)
    frame = folder / "frame.html"
    frame.write_text(
        _FRAME.format(width=width, height=height, page=html.escape(page), script=script)
    )
    found = re.search(r"<title>(.*?)</title>", _browse(frame, "--dump-dom", *options))
    assert found is not None
    return json.loads(unquote(found[1]))


def _browse(path: Path, *options: str) -> str:
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1400,1000",
            f"--user-data-dir={path.parent / 'profile'}", *options, path.as_uri(),
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    return done.stdout
