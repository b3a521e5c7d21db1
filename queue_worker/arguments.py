"""Arguments of jobs: checked before they are written, and again when they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from queue_worker.definitions import JobDefinition
from queue_worker.errors import ArgumentsError

_NO_ARGUMENTS = "{}"


def dump_arguments(job: JobDefinition[Any], arguments: object, max_bytes: int) -> str:
    """The JSON text of `arguments`, checked against the job's model.

    Args:
        job: the job they are for.
        arguments: an instance of its model, a mapping that fits it, or None for none.
        max_bytes: the largest text that is accepted, in bytes.

    Raises:
        ArgumentsError: they do not fit; says what to change and never repeats a value.
    """
    model = _as_model(job, arguments)
    if model is None:
        return _NO_ARGUMENTS
    values = model.model_dump(mode="json", by_alias=True, round_trip=True)
    try:
        text = json.dumps(values, allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise _refused(job, "a text holds a lone surrogate", "Send valid Unicode.") from None
    except ValueError:
        raise _refused(job, "a number is NaN or infinite", "Send null instead.") from None
    if "\\u0000" in text and any("\0" in found for found in _texts(values)):
        raise _refused(
            job, "a text holds a NUL character", "Remove it: Postgres cannot store \\u0000."
        )
    if size > max_bytes:
        raise _refused(
            job,
            f"{size:,} bytes are more than the limit of {max_bytes:,}",
            "Store the data in a table and pass its key.",
        )
    return text


def load_arguments(job: JobDefinition[Any], text: str) -> BaseModel | None:
    """The arguments of a claimed run, as an instance of the job's model.

    Raises:
        ArgumentsError: what stands in the queue does not fit the model.
    """
    if job.args is None:
        if text != _NO_ARGUMENTS:
            raise _refused(job, "it takes none", "Enqueue it again without arguments.")
        return None
    try:
        return job.args.model_validate_json(text)
    except ValidationError as error:
        raise _misfit(job, error, "Enqueue it again with arguments that fit.") from None


def _as_model(job: JobDefinition[Any], arguments: object) -> BaseModel | None:
    if job.args is None:
        if arguments:
            raise _refused(job, "it takes none", "Leave the arguments out.")
        return None
    if isinstance(arguments, job.args):
        return arguments
    if isinstance(arguments, BaseModel) or not isinstance(arguments, Mapping | None):
        raise _refused(
            job,
            f"a {type(arguments).__name__} is not a {job.args.__name__}",
            f"Pass a {job.args.__name__}, or a mapping with its fields.",
        )
    try:
        return job.args.model_validate(arguments or {})
    except ValidationError as error:
        raise _misfit(job, error, f"See the fields of {job.args.__name__}.") from None


def _misfit(job: JobDefinition[Any], error: ValidationError, remedy: str) -> ArgumentsError:
    problems = [
        f"{'.'.join(str(part) for part in found['loc']) or 'arguments'}: {found['msg']}"
        for found in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return ArgumentsError(job.name, problems[:10], remedy)


def _refused(job: JobDefinition[Any], problem: str, remedy: str) -> ArgumentsError:
    return ArgumentsError(job.name, [problem], remedy)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
