"""docs/monitoring is what Prometheus, Alertmanager and Grafana can read, and its rules are tested."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.pages import anchors_of
from tests.support.series import documented_series

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
# What Prometheus has of itself, and of what it scrapes.
FOREIGN = {"up"}
_WORDS = re.compile(r"(?<![\w\"$])[a-z_]+(?![\w(=\"])(?=[\s{)\[]|$)")


def run(program: str, *arguments: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not on this machine")
    done = subprocess.run(
        [path, *arguments], capture_output=True, text=True, check=False, cwd=FOLDER, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "grafana" / "dashboard.json").read_text())
    return found


def expressions() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "5m")


def series_in(expression: str) -> set[str]:
    """The names of series in an expression: words that are no function, label or keyword."""
    bare = re.sub(r"\b(?:by|on|ignoring|without) ?\([^)]*\)|\{[^}]*\}|\[[^]]*\]", " ", expression)
    words = set(re.findall(r"[a-z_]+(?:_[a-z]+)*(?![\w(])", re.sub(r"\b[a-z_]+\s*\(", "(", bare)))
    return words - {"or", "unless", "and", "sum", "max", "count"}


def test_the_rules_hold_what_their_tests_say() -> None:
    run("promtool", "check", "rules", "rules.yml")
    run("promtool", "test", "rules", "rules_test.yml")


def test_every_rule_has_a_test() -> None:
    tests = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    fires = {
        case["alertname"]
        for test in tests
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fires == {rule["alert"] for rule in rules()}


def test_every_rule_leads_to_a_section_of_the_page_for_incidents() -> None:
    anchors = anchors_of(FOLDER.parent / "INCIDENTS.md")
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (page, anchor in anchors) == ("docs/INCIDENTS.md", True), rule["alert"]


def test_the_configurations_are_well_formed() -> None:
    run("promtool", "check", "config", "prometheus.yml")
    run("amtool", "check-config", "alertmanager.yml")


def test_rules_and_dashboard_ask_for_series_that_there_are() -> None:
    known = documented_series() | FOREIGN
    for expression in [*expressions(), *(rule["expr"] for rule in rules())]:
        names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series_in(expression)}
        assert names, expression
        assert names <= known, expression


def test_prometheus_understands_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel_{number}", "expr": expression.replace("$job", ".*")}
        for number, expression in enumerate(expressions())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    run("promtool", "check", "rules", str(path))


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        assert panel["type"] == "row" or panel["description"]
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])
