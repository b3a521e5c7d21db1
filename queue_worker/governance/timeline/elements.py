"""Elements of the page that hold text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from queue_worker.governance.printable import one_line


def add(
    parent: ET.Element, tag: str, text: str = "", attributes: dict[str, str] | None = None
) -> ET.Element:
    """A new element in another one, with a text that may come from anywhere."""
    element = ET.SubElement(parent, tag, attributes or {})
    element.text = one_line(text)
    return element
