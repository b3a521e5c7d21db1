"""docs/ENVIRONMENT.md and .env.example say what the settings say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from queue_worker.governance.environment import render_environment, render_example
from queue_worker.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_the_one_that_the_settings_give() -> None:
    assert (ROOT / "docs" / "ENVIRONMENT.md").read_text() == render_environment(), (
        "docs/ENVIRONMENT.md is stale. Renew it: "
        "python -m queue_worker.governance.environment > docs/ENVIRONMENT.md"
    )


def test_the_example_is_the_one_that_the_settings_give() -> None:
    assert (ROOT / ".env.example").read_text() == render_example(), (
        ".env.example is stale. Renew it: "
        "python -m queue_worker.governance.environment --example > .env.example"
    )


def test_every_setting_is_on_the_page_with_its_meaning() -> None:
    page = render_environment()
    for field in Settings.model_fields.values():
        assert field.description
        assert f"| `{field.alias}` |" in page
        assert f"| {field.description} |" in page


def test_the_example_with_every_line_in_use_is_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", render_example(), flags=re.MULTILINE))
    assert set(variables) == {field.alias for field in Settings.model_fields.values()}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == load_settings(database_url=variables["DATABASE_URL"])
    for name in set(variables) - {"DATABASE_URL"}:
        monkeypatch.delenv(name)
    assert load_settings() == load_settings(database_url=variables["DATABASE_URL"])
