"""May this tag be released? `python -m tests.support.release v1.2.3`; needs nothing installed."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## (.+?)$\n(.*?)(?=^## |\Z)", flags=re.MULTILINE | re.DOTALL)


def problems_of(tag: str, project: str, changelog: str) -> list[str]:
    """What speaks against it: its name, the version of the project, and what the changelog says."""
    version = tomllib.loads(project)["project"]["version"]
    sections = {
        title.split(" - ")[0]: (title, text.strip()) for title, text in SECTION.findall(changelog)
    }
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, and the version of the project is {version}")
    if version not in sections:
        found.append(f"CHANGELOG.md has no section {version}: rename Unreleased, with the date")
    elif not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", sections[version][0]):
        found.append(
            f"the section {version} of CHANGELOG.md has no date: ## {version} - 2026-01-31"
        )
    if sections.get("Unreleased", ("", ""))[1]:
        found.append("CHANGELOG.md still has something that is unreleased")
    return found


if __name__ == "__main__":
    texts = [(ROOT / name).read_text() for name in ("pyproject.toml", "CHANGELOG.md")]
    sys.exit("\n".join(problems_of(sys.argv[1], *texts)) or None)
