"""Definitions: everything about a job is checked when it is declared."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, RootModel, SecretStr

from queue_worker import JobContext, JobDefinition, JobRegistry, RetryPolicy, cron, every
from queue_worker.errors import DefinitionError

MINUTE = timedelta(minutes=1)


class Optional(BaseModel):
    number: int = 1


class Required(BaseModel):
    number: int


class Secret(BaseModel):
    token: SecretStr = SecretStr("")


class Whole(RootModel[list[int]]): ...


class Unwritable(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    stream: Iterator[Any] | object | type[Exception] | None = None
    anything: JobRegistry | None = None


class Callable:
    def __call__(self, ctx: JobContext) -> None: ...


async def run(ctx: JobContext) -> None:
    """Does nothing.

    At length.
    """


async def run_with(ctx: JobContext, args: Any) -> None: ...


def run_plainly(ctx: JobContext) -> None: ...


async def too_many(ctx: JobContext, args: Any, more: Any) -> None: ...


async def by_keyword(ctx: JobContext, *, needed: int) -> None: ...


def generate(ctx: JobContext) -> Iterator[None]:
    yield


async def generate_async(ctx: JobContext) -> AsyncIterator[None]:
    yield


def local() -> Any:
    def inner(ctx: JobContext) -> None: ...

    return inner


def local_async() -> Any:
    async def inner(ctx: JobContext) -> None: ...

    return inner


def job(**changes: Any) -> JobDefinition[Any]:
    declared: dict[str, Any] = {"name": "a.job", "function": run, "timeout": MINUTE}
    return JobDefinition(**(declared | changes))


def with_args(model: Any) -> dict[str, Any]:
    return {"args": model, "function": run_with}


@pytest.mark.fault("F30", "P14", "P28", "P30")
@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "two words"}),
        ("name", {"name": "line\nbreak"}),
        ("name", {"name": "trailing\n"}),
        ("name", {"name": "nul\0"}),
        ("name", {"name": "\ud800"}),
        ("name", {"name": "1st"}),
        ("name", {"name": "größe"}),
        ("name", {"name": "a" * 129}),
        ("name", {"name": 7}),
        ("function", {"function": None}),
        ("function", {"function": "run"}),
        ("function", {"function": Callable}),
        ("function", {"function": Callable()}),
        ("function", {"function": generate}),
        ("function", {"function": generate_async}),
        ("function", {"function": local()}),
        ("function", {"function": functools.partial(run_plainly)}),
        ("function", {"function": too_many}),
        ("function", {"function": by_keyword}),
        ("function", {"function": run, "args": Optional}),
        ("function", {"function": run_with}),
        ("function", {"function": min}),
        ("timeout", {"timeout": timedelta(0)}),
        ("timeout", {"timeout": timedelta(seconds=-1)}),
        ("timeout", {"timeout": timedelta(days=7, microseconds=1)}),
        ("timeout", {"timeout": 60}),
        ("timeout", {"timeout": None}),
        ("args", with_args(dict)),
        ("args", with_args({"number": 1})),
        ("args", with_args(Optional())),
        ("args", with_args(Whole)),
        ("args", with_args(Secret)),
        ("args", with_args(Unwritable)),
        ("args", {**with_args(Required), "schedule": every(minutes=1)}),
        ("schedule", {"schedule": "0 6 * * *"}),
        ("schedule", {"schedule": timedelta(minutes=1)}),
        ("schedule", {"schedule": cron("61 * * * *")}),
        ("schedule", {"schedule": cron("61 * * * * *")}),
        ("schedule", {"schedule": cron("0 0 30 2 *")}),
        ("schedule", {"schedule": cron("0 6 * * *", timezone="Mars/Olympus")}),
        ("schedule", {"schedule": every(seconds=0)}),
        ("schedule", {"schedule": every(seconds=-5)}),
        ("schedule", {"schedule": every(5)}),  # type: ignore[arg-type]
        ("lock", {"lock": ""}),
        ("lock", {"lock": "x" * 513}),
        ("lock", {"lock": "ü" * 257}),
        ("lock", {"lock": "nul\0"}),
        ("lock", {"lock": "\ud800"}),
        ("lock", {"lock": 7}),
        ("queue", {"queue": ""}),
        ("queue", {"queue": "q" * 41}),
        ("queue", {"queue": "ü" * 21}),
        ("queue", {"queue": "two words"}),
        ("queue", {"queue": "one,two"}),
        ("queue", {"queue": "tab\t"}),
        ("queue", {"queue": "nul\0"}),
        ("queue", {"queue": "\ud800"}),
        ("queue", {"queue": None}),
        ("priority", {"priority": 2**31}),
        ("priority", {"priority": -(2**31)}),
        ("priority", {"priority": 1.5}),
        ("priority", {"priority": True}),
        ("retry", {"retry": True}),
        ("retry", {"retry": 3}),
        ("retry", {"retry": RetryPolicy(1)}),
        ("retry", {"retry": RetryPolicy(101)}),
        ("retry", {"retry": RetryPolicy(2.5)}),  # type: ignore[arg-type]
        ("retry", {"retry": RetryPolicy(3, wait=timedelta(-1))}),
        ("retry", {"retry": RetryPolicy(3, wait=10)}),  # type: ignore[arg-type]
        ("retry", {"retry": RetryPolicy(3, wait=MINUTE, longest_wait=MINUTE / 2)}),
        ("retry", {"retry": RetryPolicy(3, factor=0.5)}),
        ("retry", {"retry": RetryPolicy(3, factor=float("nan"))}),
        ("catch_up", {"catch_up": -1}),
        ("catch_up", {"catch_up": 1001}),
        ("catch_up", {"catch_up": 1.5}),
        ("max_memory_mb", {"max_memory_mb": 512}),
        ("log_fields", {"log_fields": ("number",)}),
        ("log_fields", {"log_fields": ("nothing",), "args": Optional, "function": run_with}),
        ("log_fields", {"log_fields": ["number"], "args": Optional, "function": run_with}),
        ("max_memory_mb", {"max_memory_mb": 255, "function": run_plainly}),
        ("max_memory_mb", {"max_memory_mb": 512.5, "function": run_plainly}),
    ],
)
def test_a_wrong_declaration_is_one_error_that_names_job_and_remedy(
    field: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(DefinitionError) as caught:
        job(**changes)
    error = caught.value
    assert error.field == field
    assert str(error) == f"Job {error.job!r}: {field} {error.problem}. {error.remedy}"
    assert error.job == str(changes.get("name", "a.job"))
    assert error.remedy
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "A_b.c:d-e9"},
        {"name": "a" * 128},
        {"function": run_plainly},
        {"function": local_async()},
        {"function": functools.partial(run)},
        {"timeout": timedelta(days=7)},
        {"timeout": timedelta(microseconds=1)},
        {"queue": "q" * 40},
        {"queue": "ü" * 20},
        {"lock": "x" * 512},
        {"lock": "with spaces, and commas"},
        {"priority": 2**31 - 1},
        {"retry": RetryPolicy(2, wait=timedelta(0), factor=1)},
        {"schedule": cron("*/5 * * * * *", timezone="Asia/Tokyo")},
        {**with_args(Optional), "schedule": every(minutes=1)},
        with_args(Required),
        {"catch_up": 1000},
        {"function": run_plainly, "max_memory_mb": 256},
    ],
)
def test_a_declaration_within_the_bounds_is_taken(changes: dict[str, Any]) -> None:
    assert job(**changes)


def test_a_timeout_is_not_optional() -> None:
    registry = JobRegistry()
    with pytest.raises(DefinitionError, match=r"Job 'a': timeout is missing\. Give one, such as"):
        registry.job("a")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="timeout"):
        JobDefinition(name="a", function=run)  # type: ignore[call-arg]


def test_a_refused_declaration_leaves_the_registry_as_it_was() -> None:
    registry = JobRegistry()
    with pytest.raises(DefinitionError):
        registry.job("a", timeout=timedelta(0))(run)
    assert len(registry) == 0


def test_a_definition_does_not_change() -> None:
    with pytest.raises(AttributeError):
        job().timeout = MINUTE  # type: ignore[misc]


def test_a_replaced_part_is_checked_too() -> None:
    assert job().replace(queue="other").queue == "other"
    with pytest.raises(DefinitionError, match="queue"):
        job().replace(queue="q" * 41)


def test_a_scheduled_job_is_locked_by_its_own_name() -> None:
    assert job().lock_key is None
    assert job(schedule=every(minutes=1)).lock_key == "a.job"
    assert job(schedule=every(minutes=1), lock="L").lock_key == "L"


def test_the_docstring_describes_a_job_in_one_line() -> None:
    assert job().description == "Does nothing."
    assert job(description="Something").description == "Something"
    assert job(function=run_plainly).description == ""


@pytest.mark.fault("P14")
def test_waits_grow_up_to_their_cap_and_end() -> None:
    policy = RetryPolicy(5, wait=timedelta(seconds=10), longest_wait=timedelta(seconds=35))
    waits = [policy.wait_after(attempt) for attempt in range(1, 6)]
    assert waits == [timedelta(seconds=s) for s in (10, 20, 35, 35)] + [None]
    endless = RetryPolicy(100, factor=1e300, longest_wait=timedelta(hours=1))
    assert endless.wait_after(99) == timedelta(hours=1)
