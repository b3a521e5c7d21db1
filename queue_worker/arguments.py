"""Arguments of jobs: checked before they are written, and again when they are read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from queue_worker.definitions import JobDefinition
from queue_worker.errors import ArgumentsError

_NO_ARGUMENTS = "{}"
_MOST_PROBLEMS = 10
_NAME_CHARACTERS = 60
_KNOWN = frozenset(get_args(ErrorType))  # any other is a model's own
_QUOTING = frozenset({
    "assertion_error", "datetime_object_invalid", "get_attribute_error", "iteration_error",
    "timezone_offset", "union_tag_invalid", "uuid_parsing", "value_error",
})  # fmt: skip


def dump_arguments(job: JobDefinition[Any], arguments: object, max_bytes: int) -> str:
    """The JSON text of `arguments`, checked against the job's model.

    Args:
        job: the job they are for.
        arguments: an instance of its model, a mapping that fits it (of Python's values or of
            JSON's), or None for none.
        max_bytes: the largest text that is accepted, in bytes.

    Raises:
        ArgumentsError: they do not fit; says what to change and never repeats a value.
    """
    model = _as_model(job, arguments)
    if model is None:
        return _NO_ARGUMENTS
    text = _write(job, model)
    size = len(text.encode())
    if size > max_bytes:
        raise _refused(
            job,
            f"{size:,} bytes are more than the limit of {max_bytes:,}",
            "Store the data in a table and pass its key.",
        )
    load_arguments(job, text)  # an instance may have been changed since it was checked
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


def pick_fields(text: str, names: Iterable[str]) -> dict[str, Any]:
    """Of the arguments of a claimed run, as JSON, those of these names."""
    found = json.loads(text)
    return {name: found[name] for name in names if name in found}


def _as_model(job: JobDefinition[Any], arguments: object) -> BaseModel | None:
    if job.args is None:
        if arguments not in (None, {}):
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
        if (model := _as_strict_model(job.args, arguments)) is not None:
            return model
        raise _misfit(job, error, f"See the fields of {job.args.__name__}.") from None


def _as_strict_model(kind: type[BaseModel], arguments: object) -> BaseModel | None:
    """A strict model takes a date as text only where it knows that it reads JSON."""
    try:
        return kind.model_validate_json(json.dumps(arguments))
    except (ValueError, TypeError, RecursionError):
        return None


def _write(job: JobDefinition[Any], model: BaseModel) -> str:
    try:
        values = model.model_dump(mode="json", by_alias=True, round_trip=True, warnings=False)
        text = json.dumps(values, allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeError:
        raise _refused(
            job, "a text holds a lone surrogate, or bytes that are no text", "Send valid Unicode."
        ) from None
    except (ValueError, TypeError, RecursionError):
        raise _refused(
            job,
            "a value is none that JSON can hold: NaN, infinite, too deep, or of another type",
            "Send null, a text or a number instead.",
        ) from None
    if "null" in text and _holds_no_number(model):  # pydantic writes null for them
        raise _refused(job, "a number is NaN or infinite", "Send null instead.")
    if "\\u0000" in text and any("\0" in str(found) for found in _leaves(values)):
        raise _refused(
            job, "a text holds a NUL character", "Remove it: Postgres cannot store \\u0000."
        )
    return text


def _misfit(job: JobDefinition[Any], error: ValidationError, remedy: str) -> ArgumentsError:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    names = _field_names(job)
    problems = [f"{_place(f['loc'], names)}: {_message(f)}" for f in found[:_MOST_PROBLEMS]]
    return ArgumentsError(job.name, problems, remedy)


def _message(found: ErrorDetails) -> str:
    """What pydantic says, unless it may quote the value."""
    if found["type"] in _QUOTING or found["type"] not in _KNOWN:
        return f"does not fit ({found['type']})"
    return found["msg"]


def _place(location: Sequence[int | str], names: AbstractSet[str]) -> str:
    """Where it is, as a path; a key that is no name of a field is part of a value."""
    parts = [str(p) if isinstance(p, int) or p in names else "…" for p in location[1:]]
    return ".".join([str(part)[:_NAME_CHARACTERS] for part in location[:1]] + parts) or "arguments"


def _field_names(job: JobDefinition[Any]) -> AbstractSet[str]:
    schema = job.args.model_json_schema() if job.args else {}
    models = [schema, *schema.get("$defs", {}).values()]
    return {name for model in models for name in model.get("properties", {})}


def _refused(job: JobDefinition[Any], problem: str, remedy: str) -> ArgumentsError:
    return ArgumentsError(job.name, [problem], remedy)


def _holds_no_number(model: BaseModel) -> bool:
    leaves = _leaves(model.model_dump(warnings=False))
    return any(isinstance(leaf, float) and not math.isfinite(leaf) for leaf in leaves)


def _leaves(value: object) -> Iterator[object]:
    """Every key and every value that is no container, however deep."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(key)
            yield from _leaves(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
