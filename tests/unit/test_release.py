"""What a release needs: a workflow that is safe, a changelog that agrees, a list of what is in it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.release import problems_of
from tests.support.tools import ROOT, accepts, tool

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
PROJECT = '[project]\nversion = "1.2.3"\n'
CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-01-31\n\n- A thing.\n"


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())
    return found


def test_the_schema_of_workflows_has_nothing_to_object() -> None:
    accepts("check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW)


def test_the_linter_finds_nothing_unsafe() -> None:
    accepts("zizmor", "--offline", "--persona=pedantic", "--quiet", WORKFLOW)


def test_the_linter_would_find_an_action_that_is_not_pinned(tmp_path: Path) -> None:
    loose = tmp_path / "release.yml"
    loose.write_text(re.sub(r"checkout@\S+", "checkout@main", WORKFLOW.read_text()))
    done = subprocess.run(
        [tool("zizmor"), "--offline", loose], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "unpinned-uses" in done.stdout


def test_only_who_publishes_is_known_to_pypi_and_nobody_holds_a_secret(
    workflow: dict[str, Any],
) -> None:
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert workflow["jobs"]["publish"]["environment"]["name"] == "pypi"
    assert "secrets." not in WORKFLOW.read_text()
    published = [step["uses"].split("@")[0] for step in workflow["jobs"]["publish"]["steps"]]
    assert published == ["actions/download-artifact", "pypa/gh-action-pypi-publish"], (
        "builds nothing"
    )


def test_what_it_calls_is_there(workflow: dict[str, Any]) -> None:
    lines = [step["run"] for step in workflow["jobs"]["build"]["steps"] if "run" in step]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    made = [target for line in lines if line.startswith("make ") for target in line.split()[1:]]
    assert made == ["build", "sbom"]
    assert set(made) <= set(targets)
    assert any("tests.support.release" in line for line in lines)


@pytest.mark.parametrize(
    ("tag", "changelog", "says"),
    [
        ("v1.2.3", CHANGELOG, None),
        ("v1.2.4", CHANGELOG, "the tag is v1.2.4"),
        ("1.2.3", CHANGELOG, "the tag is 1.2.3"),
        (
            "v1.2.3",
            CHANGELOG.replace("1.2.3 - 2026-01-31", "1.2.2 - 2026-01-31"),
            "no section 1.2.3",
        ),
        ("v1.2.3", CHANGELOG.replace(" - 2026-01-31", ""), "has no date"),
        ("v1.2.3", CHANGELOG.replace("Unreleased\n", "Unreleased\n\n- Another.\n"), "unreleased"),
    ],
)
def test_a_tag_is_refused_where_something_does_not_agree(
    tag: str, changelog: str, says: str | None
) -> None:
    found = problems_of(tag, PROJECT, changelog)
    assert len(found) == (says is not None)
    assert says is None or says in found[0]


def test_the_changelog_of_this_project_can_be_read() -> None:
    """Before the first release: all of it is unreleased, and nothing else is in the way."""
    texts = [(ROOT / name).read_text() for name in ("pyproject.toml", "CHANGELOG.md")]
    version = re.findall(r'^version = "(.+)"$', texts[0], flags=re.MULTILINE)[0]
    assert all("CHANGELOG.md" in problem for problem in problems_of(f"v{version}", *texts))


def test_the_list_of_what_is_in_it_is_cyclonedx_and_whole(tmp_path: Path) -> None:
    recipe = re.findall(r"^sbom:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[
        0
    ]
    line = next(line for line in recipe.replace("\\\n", "").splitlines() if "cyclonedx-py" in line)
    arguments = [word for word in line.split()[1:] if word != "dist/sbom.cdx.json"]
    listed = tmp_path / "sbom.json"
    accepts("cyclonedx-py", *arguments, listed)
    found = json.loads(listed.read_text())
    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["name"] == "queue-worker"
    pins = (ROOT / "requirements" / "image.txt").read_text()
    assert {component["name"] for component in found["components"]} == set(
        re.findall(r"^([a-z0-9-]+)==", pins, flags=re.MULTILINE)
    )
    validator = pytest.importorskip("cyclonedx.validation.json").JsonStrictValidator
    schema = pytest.importorskip("cyclonedx.schema").SchemaVersion.V1_6
    assert validator(schema).validate_str(listed.read_text()) is None
