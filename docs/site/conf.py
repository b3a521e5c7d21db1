"""The site of these pages: `make site`. Nothing of it is loaded from another host."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

project = "queue_worker"
author = "the authors of queue_worker"
project_copyright = author
version = release = version_of("queue-worker")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["examples", "monitoring"]
default_role = "code"  # docstrings write code as Markdown does

# Markdown: a link names a file and the heading in it, as on GitHub.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_links_external_new_tab = False

# The reference is made of signatures and docstrings.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 110
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "queue_worker"
html_favicon = "static/favicon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": True,
    "top_of_page_buttons": [],
    "light_css_variables": {
        "color-brand-primary": "#1d5c8f",
        "color-brand-content": "#1d5c8f",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
        "font-stack--monospace": "ui-monospace, 'SF Mono', Menlo, Consolas, monospace",
    },
    "dark_css_variables": {
        "color-brand-primary": "#79b8ee",
        "color-brand-content": "#79b8ee",
    },
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

# What stands outside of docs/, or is a folder, has a page of the site instead.
PAGES_INSTEAD = {
    "../README.md": "index.md",
    "../CONTRIBUTING.md": "site/contributing.md",
    "../CHANGELOG.md": "site/changelog.md",
    "examples/shop": "site/example.md",
    "monitoring/": "site/monitoring.md",
}
FROM_THE_ROOT = {
    "index": "README.md",
    "site/contributing": "CONTRIBUTING.md",
    "site/changelog": "CHANGELOG.md",
}
ROOT = Path(__file__).resolve().parents[2]
LINK = r"(?<=\]\()"


def read_source(_: Sphinx, name: str, content: list[str]) -> None:
    """Pages of the root are read from there; a link that leaves the site gets its page instead."""
    up = "../" * name.count("/")
    if root := FROM_THE_ROOT.get(name):
        text = re.sub(rf"{LINK}(?!https?:|#)", f"{up}../", (ROOT / root).read_text())
        content[0] = f"{text.replace(f']({up}../docs/', f']({up}')}\n{content[0]}"
    for link, page in PAGES_INSTEAD.items():
        content[0] = re.sub(rf"{LINK}{re.escape(up + link)}(?=[)#])", up + page, content[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", read_source)
