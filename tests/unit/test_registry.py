"""The registry: jobs by name, and how it is loaded."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from queue_worker import JobContext, JobDefinition, JobRegistry, RetryPolicy, every, load_registry
from queue_worker.errors import DefinitionError, RegistryError, UnknownJobError

MINUTE = timedelta(minutes=1)


class Arguments(BaseModel):
    number: int = 0


async def work(ctx: JobContext) -> None: ...


async def work_with(ctx: JobContext, args: Any) -> None: ...


def job(name: str, **changes: Any) -> JobDefinition[Any]:
    function = work_with if changes.get("args") else work
    return JobDefinition(**({"name": name, "function": function, "timeout": MINUTE} | changes))


def test_a_declared_name_stands_for_its_definition() -> None:
    registry = JobRegistry()

    @registry.job("a", timeout=MINUTE)
    async def a(ctx: JobContext) -> None: ...

    assert registry.get("a") is a
    assert list(registry) == [a]
    assert registry.names == ["a"]
    assert "a" in registry
    assert len(registry) == 1


def test_a_name_is_taken_once() -> None:
    registry = JobRegistry([job("a")])
    with pytest.raises(DefinitionError, match=r"Job 'a': name is already taken\. Choose another"):
        registry.add(job("a"))


def test_one_line_takes_in_another_registry() -> None:
    registry = JobRegistry([job("a")])
    registry.include(JobRegistry([job("b"), job("c")]))
    assert registry.names == ["a", "b", "c"]


@pytest.mark.parametrize("others", [["b", "a"], ["b", "c", "b"]])
def test_a_clash_takes_in_nothing(others: list[str]) -> None:
    registry = JobRegistry([job("a")])
    with pytest.raises(DefinitionError, match="already taken"):
        registry.include([job(name) for name in others])
    assert registry.names == ["a"]


def test_an_unknown_job_names_the_nearest_one() -> None:
    registry = JobRegistry([job("reports.daily"), job("mail")])
    with pytest.raises(UnknownJobError) as caught:
        registry.get("report.daily")
    assert str(caught.value) == (
        "Unknown job 'report.daily'. Did you mean 'reports.daily'? Known jobs: mail, reports.daily."
    )


# The digest --------------------------------------------------------------------------------------


def test_the_digest_is_the_same_in_every_process_and_order() -> None:
    one, other = JobRegistry([job("a"), job("b")]), JobRegistry([job("b"), job("a")])
    assert one.digest == other.digest
    fixed = JobRegistry([job("a", function=print_nothing)])
    assert fixed.digest == JobRegistry([job("a", function=print_nothing)]).digest


def print_nothing(ctx: JobContext) -> None: ...


class OtherArguments(BaseModel):
    number: str = ""


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "b"}, {"timeout": 2 * MINUTE}, {"schedule": every(minutes=1)}, {"lock": "L"},
        {"queue": "q"}, {"priority": 1}, {"retry": RetryPolicy(2)}, {"retry": RetryPolicy(3)},
        {"restartable": True}, {"catch_up": 0}, {"owner": "ada"}, {"runbook": "docs"},
        {"description": "d"}, {"args": Arguments}, {"args": OtherArguments},
        {"function": print_nothing}, {"function": print_nothing, "max_memory_mb": 512},
    ],
)  # fmt: skip
def test_the_digest_tells_any_two_declarations_apart(changes: dict[str, Any]) -> None:
    plain = JobRegistry([job("a")])
    changed = JobRegistry([job(**({"name": "a"} | changes))])
    assert plain.digest != changed.digest


def test_the_digest_sees_the_fields_of_arguments() -> None:
    assert (
        JobRegistry([job("a", args=Arguments)]).digest
        != JobRegistry([job("a", args=OtherArguments)]).digest
    )


# Loading -----------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """Writes the one module of this test and returns the reference to a name in it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"registry_{request.node.name.partition('[')[0]}"

    def write(text: str, attribute: str = "registry") -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return f"{name}:{attribute}"

    yield write
    sys.modules.pop(name, None)


def refused(reference: str) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        load_registry(reference)
    assert repr(reference) in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "reference",
    [
        "",
        ":",
        "a",
        "a:",
        ":b",
        "a:b:c",
        "a:b.c",
        ".a:b",
        "a..b:c",
        "a b:c",
        "jobs.py:registry!",
        "/tmp/x:y",
    ],
)
def test_a_reference_of_another_form_says_the_right_one(reference: str) -> None:
    assert "not of the form package.module:name" in str(refused(reference))


def test_the_registry_of_a_module_is_loaded() -> None:
    assert "analytics_aggregator" in load_registry("queue_worker.jobs:registry")


def test_a_module_in_the_current_folder_is_found(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = module(
        "from tests.unit.test_registry import job\n"
        "from queue_worker import JobRegistry\nregistry = JobRegistry([job('a')])"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(tmp_path)])
    assert load_registry(reference).names == ["a"]


def test_a_missing_module_is_named() -> None:
    assert "does not import (ModuleNotFoundError: No module named 'nowhere')" in str(
        refused("nowhere.jobs:registry")
    )


@pytest.mark.parametrize("raised", ["ZeroDivisionError('broken')", "SystemExit('broken')"])
def test_what_a_module_raises_is_named_and_chained(module: Any, raised: str) -> None:
    error = refused(module(f"raise {raised}"))
    assert f"does not import ({raised.partition('(')[0]}: broken)" in str(error)
    assert type(error.__cause__).__name__ == raised.partition("(")[0]


def test_a_badly_declared_job_is_named(module: Any) -> None:
    error = refused(
        module(
            "from datetime import timedelta\nfrom queue_worker import JobRegistry\n"
            "registry = JobRegistry()\n@registry.job('a', timeout=timedelta(0))\n"
            "async def a(ctx): ...\n"
        )
    )
    assert "DefinitionError: Job 'a': timeout" in str(error)


def test_a_missing_attribute_is_named(module: Any) -> None:
    reference = module("registry = 1", "jobs")
    assert "is not defined in" in str(refused(reference))
    assert "`jobs = JobRegistry()`" in str(refused(reference))


def test_another_object_is_refused(module: Any) -> None:
    assert "is not a JobRegistry" in str(refused(module("registry = {}")))


def test_an_empty_registry_is_refused(module: Any) -> None:
    reference = module("from queue_worker import JobRegistry\nregistry = JobRegistry()")
    assert "holds no job. Declare one with @registry.job(...)" in str(refused(reference))
