"""The set of jobs that a process knows, and how it is loaded."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict, TypeVar, Unpack, overload

from pydantic import BaseModel

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition, RetryPolicy
from queue_worker.errors import DefinitionError, RegistryError, UnknownJobError
from queue_worker.schedules import Schedule

ModelT = TypeVar("ModelT", bound=BaseModel)


class JobOptions(TypedDict, total=False):
    """What one may say of a job beyond its name, arguments and timeout; see JobDefinition."""

    schedule: Schedule
    lock: str | None
    queue: str
    priority: int
    retry: RetryPolicy | None
    restartable: bool
    catch_up: int
    max_memory_mb: int | None
    log_fields: tuple[str, ...]
    owner: str
    runbook: str
    description: str


class JobRegistry:
    """Jobs by name. Nothing is in it that was not put there by name."""

    def __init__(self, jobs: Iterable[JobDefinition[Any]] = ()) -> None:
        self._jobs: dict[str, JobDefinition[Any]] = {}
        for job in jobs:
            self.add(job)

    def add(self, job: JobDefinition[Any]) -> None:
        """Take in one job.

        Raises:
            DefinitionError: a job of this name is already here.
        """
        if job.name in self._jobs:
            raise DefinitionError(
                job.name, "name", "is already taken", "Choose another name for one of the two."
            )
        self._jobs[job.name] = job

    def include(self, other: Iterable[JobDefinition[Any]]) -> None:
        """Take in all jobs of another registry, or none if one name is taken."""
        both = JobRegistry([*self, *other])
        self._jobs = {job.name: job for job in both}

    @overload
    def job(
        self, name: str, *, timeout: timedelta, args: None = None, **options: Unpack[JobOptions]
    ) -> Callable[[Callable[[JobContext], object]], JobDefinition[None]]: ...
    @overload
    def job(
        self, name: str, *, timeout: timedelta, args: type[ModelT], **options: Unpack[JobOptions]
    ) -> Callable[[Callable[[JobContext, ModelT], object]], JobDefinition[ModelT]]: ...
    def job(
        self,
        name: str,
        *,
        timeout: timedelta | None = None,
        args: type[BaseModel] | None = None,
        **options: Unpack[JobOptions],
    ) -> Callable[[Callable[..., object]], JobDefinition[Any]]:
        """Declare the function below as a job; its name then stands for the JobDefinition.

        Raises:
            DefinitionError: something about the declaration is wrong.
        """
        if timeout is None:  # what the overloads say, for those who use no type checker
            raise DefinitionError(
                name, "timeout", "is missing", "Give one, such as timeout=timedelta(minutes=5)."
            )

        def declare(function: Callable[..., object]) -> JobDefinition[Any]:
            job: JobDefinition[Any] = JobDefinition(
                name=name, function=function, timeout=timeout, args=args, **options
            )
            self.add(job)
            return job

        return declare

    def get(self, name: str) -> JobDefinition[Any]:
        """The job of this name.

        Raises:
            UnknownJobError: there is none; names the nearest one.
        """
        try:
            return self._jobs[name]
        except KeyError:
            near = get_close_matches(name, self._jobs, n=1)
            raise UnknownJobError(name, sorted(self._jobs), near[0] if near else None) from None

    def __iter__(self) -> Iterator[JobDefinition[Any]]:
        return iter(self._jobs.values())

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, name: object) -> bool:
        return name in self._jobs

    @property
    def names(self) -> list[str]:
        """The names of all jobs, in order of declaration."""
        return list(self._jobs)

    @property
    def digest(self) -> str:
        """A fingerprint of all definitions: two workers with the same one know the same jobs."""
        facts = sorted((job.name, _facts(job)) for job in self)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _facts(job: JobDefinition[Any]) -> list[str]:
    """All that is declared of a job; of its function, only where it stands."""
    function = f"{job.function.__module__}:{getattr(job.function, '__qualname__', '')}"
    schema = job.args.model_json_schema() if job.args else None
    others = [
        repr(getattr(job, field.name))
        for field in fields(job)
        if field.name not in {"function", "args"}
    ]
    return [function, json.dumps(schema, sort_keys=True), *others]


def load_registry(reference: str) -> JobRegistry:
    """Import the registry that `package.module:name` refers to.

    Raises:
        RegistryError: it does not import, is no registry, or is empty.
    """
    module_name, _, attribute = reference.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise RegistryError(
            reference, "is not of the form package.module:name", "For example: myapp.jobs:registry."
        )
    found = getattr(_import(module_name, reference), attribute, None)
    if not isinstance(found, JobRegistry):
        raise RegistryError(
            reference,
            "is not a JobRegistry" if found is not None else f"is not defined in {module_name!r}",
            f"Define `{attribute} = JobRegistry()` at the top level of {module_name!r}.",
        )
    if not len(found):
        raise RegistryError(reference, "holds no job", "Declare one with @registry.job(...).")
    return found


def _import(module_name: str, reference: str) -> ModuleType:
    if (here := str(Path.cwd())) not in sys.path:  # as `python -m` does
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise RegistryError(
            reference,
            f"does not import ({type(error).__name__}: {error})",
            "Check the path, and that the package is installed or in the current folder.",
        ) from error
