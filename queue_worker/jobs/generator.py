"""What a content generator is, and how the configured one is loaded.

There is none in this package: `CONTENT_GENERATOR=module:callable` names yours.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from queue_worker.errors import ContentError, GeneratorMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What a generator is asked for.

    Attributes:
        request_id: the request; the same one if the generator is asked again.
        content_id: the content to write anew.
        kind: in which way it got worse, such as `falling_score`.
        summary: why, in one line.
        evidence: the signals that led to the suggestion, oldest first.
    """

    request_id: int
    content_id: str
    kind: str
    summary: str
    evidence: Sequence[Mapping[str, Any]]


class ContentGenerator(Protocol):
    """Writes the new text of a content; whatever it raises makes that request failed.

    It may be asked more than once for the same request: only one answer is stored.
    """

    def __call__(self, request: GenerationRequest, /) -> str: ...


def load_generator(reference: str | None) -> ContentGenerator:
    """Import the generator that `module:callable` refers to.

    Raises:
        GeneratorMissing: none is configured.
        ContentError: it does not import, or cannot be called.
    """
    if reference is None:
        raise GeneratorMissing
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise _unusable(reference, "is not of the form module:callable")
    if (here := str(Path.cwd())) not in sys.path:  # as `python -m` does
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        raise _unusable(reference, f"does not import ({type(error).__name__}: {error})") from error
    if not callable(found):
        raise _unusable(reference, "cannot be called")
    return cast("ContentGenerator", found)


def checked_text(answer: object) -> str:
    """The answer of a generator, if it is a text that can be stored.

    Raises:
        ContentError: it is not.
    """
    if not isinstance(answer, str):
        raise ContentError(f"The generator returned {type(answer).__name__}. Return a str.")
    if not answer.strip():
        raise ContentError("The generator returned an empty text. Raise an error instead.")
    if "\0" in answer:
        raise ContentError("The generator returned a NUL character. Remove it from the text.")
    answer.encode()  # a lone surrogate cannot be stored either
    return answer


def _unusable(reference: str, problem: str) -> ContentError:
    return ContentError(
        f"CONTENT_GENERATOR {reference!r} {problem}. "
        "Give one such as myapp.writing:generate, that takes a GenerationRequest."
    )
