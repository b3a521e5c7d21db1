"""What the explanations draw and show is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psycopg
import pytest

from queue_worker.execution.outcome import Outcome
from tests.support.blocks import read_blocks, write_files
from tests.support.processes import REPOSITORY, command, environment

DOCS = REPOSITORY / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_states_that_are_drawn_are_those_of_the_queue(
    connection: psycopg.Connection[Any],
) -> None:
    drawing = ET.parse(DOCS / "images" / "life-of-a-job.svg")
    drawn = {e.text for e in drawing.iter(f"{SVG}text") if e.get("class") == "state-name"}
    states = connection.execute("SELECT unnest(enum_range(NULL::procrastinate_job_status))::text")
    assert drawn == {state for (state,) in states} - {"aborting"}  # procrastinate 2 had that one


def test_the_outcomes_of_the_table_are_those_of_a_run() -> None:
    page = (DOCS / "LIFE_OF_A_JOB.md").read_text()
    told = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
    assert sorted(told) == sorted(outcome.value for outcome in Outcome)


@pytest.mark.parametrize("drawing", sorted((DOCS / "images").glob("*.svg")), ids=lambda p: p.stem)
def test_a_drawing_has_a_title_and_both_themes_and_asks_for_nothing(drawing: Path) -> None:
    text = drawing.read_text()
    root = ET.fromstring(text)
    assert root.findtext(f"{SVG}title")
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"(?:href|src|url)\W+(?!#)\w*:", text.replace("url(#tip)", "")) == []


def test_the_fenced_job_of_the_page_writes_its_row(
    connection: psycopg.Connection[Any], database: str, tmp_path: Path
) -> None:
    blocks = read_blocks(DOCS / "DELIVERY.md")
    write_files(blocks, tmp_path)
    connection.execute("CREATE TABLE total (day date)")
    subprocess.run(
        command("--app", "totals:registry", "run", "totals.write", "--inline"),
        env=environment(database, PYTHONPATH=str(REPOSITORY)), cwd=tmp_path, check=True,
        capture_output=True, timeout=60,
    )  # fmt: skip
    row = connection.execute("SELECT count(*) FROM total WHERE day = current_date").fetchone()
    assert row == (1,)
    assert [block.file for block in blocks] == ["totals.py"]
