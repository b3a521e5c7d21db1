"""Bad input: one clear message, its exit code, and nothing half-written."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from queue_worker.governance.checks import explain_refusal
from tests.cli.conftest import Command, contents
from tests.support import processes
from tests.support.postgres import execute
from tests.support.processes import call, environment

COMMANDS = {
    "migrate": ["migrate"],
    "worker": ["worker"],
    "enqueue": ["enqueue", "noop"],
    "run": ["run", "noop"],
    "inline": ["run", "noop", "--inline"],
    "runs": ["runs"],
    "failures": ["failures"],
    "show": ["show", "1.1"],
    "status": ["status"],
    "top": ["top"],
    "timeline": ["timeline", "--output", "-"],
}
NEED_MIGRATIONS = {name: line for name, line in COMMANDS.items() if name != "migrate"}


def each(commands: dict[str, list[str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("line", commands.values(), ids=commands.keys())


@each(COMMANDS)
def test_without_a_database_url(command: Command, line: list[str]) -> None:
    command(*line).assert_one_error(78, "DATABASE_URL is not set", "postgresql://user:password@")


@pytest.mark.fault("F41")
@pytest.mark.parametrize(
    ("dsn", "code"),
    [
        ("canary-password", 78),
        ("mysql://app:canary-password@localhost/app", 78),
        ("postgresql+psycopg://app:canary-password@localhost/app", 78),
        ("postgresql://app:canary-password%zz@localhost/app", 78),
        ("postgresql://app:canary-password@localhost/app?nonsense=1", 78),
        ("host=localhost password='canary-password", 78),
        ("host=localhost password=canary-password nonsense", 78),
        ("   ", 78),
        ("postgresql://app:canary-password@127.0.0.1:99999/app", 69),
        ("postgresql://app:canary-password@127.0.0.1:1/app?sslmode=nonsense", 69),
    ],
)
def test_a_malformed_database_url_is_refused_and_never_repeated(
    command: Command, dsn: str, code: int
) -> None:
    for line in (["status"], ["migrate"], ["worker"]):
        began = time.monotonic()
        answer = command(*line, DATABASE_URL=dsn)
        assert time.monotonic() - began < 5
        answer.assert_one_error(code)
        assert "canary" not in answer.err
    report = command("check", DATABASE_URL=dsn)
    assert report.code == code
    assert "canary" not in report.out + report.err


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port on which somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_is_not_there(command: Command) -> None:
    began = time.monotonic()
    answer = command("status", DATABASE_URL="postgresql://app:canary@127.0.0.1:1/app")
    answer.assert_one_error(69, "No connection to 127.0.0.1:1/app", "Check that the server runs")
    assert "canary" not in answer.err
    assert time.monotonic() - began < 5


@pytest.mark.fault("F41")
def test_a_server_that_never_answers(command: Command, silent_port: int) -> None:
    began = time.monotonic()
    command(
        "worker",
        DATABASE_URL=f"postgresql://app@127.0.0.1:{silent_port}/app",
        QUEUE_WORKER_CONNECT_TIMEOUT="2",
    ).assert_one_error(69, "timeout")
    assert time.monotonic() - began < 5


@pytest.mark.fault("F41")
@pytest.mark.parametrize("wrong", [{"user": "nobody_of_this_name"}, {"dbname": "no_such_database"}])
def test_a_wrong_role_or_database(ready: Command, standing: str, wrong: dict[str, str]) -> None:
    answer = ready("runs", DATABASE_URL=make_conninfo(standing, **wrong))
    answer.assert_one_error(69, *wrong.values())


@pytest.mark.fault("F40", "F41")
@each(NEED_MIGRATIONS)
def test_missing_migrations(ready: Command, empty_database: str, line: list[str]) -> None:
    before = contents(empty_database)
    answer = ready(*line, DATABASE_URL=empty_database)
    answer.assert_one_error(78, "migrations are not applied", "Run `queue-worker migrate`")
    assert contents(empty_database) == before


@pytest.mark.fault("F40")
@each(COMMANDS)
def test_a_newer_database(ready: Command, newer: str, line: list[str]) -> None:
    before = contents(newer)
    answer = ready(*line, DATABASE_URL=newer)
    answer.assert_one_error(78, "9999_breaking_future", "Install the version")
    assert contents(newer) == before


def test_jobs_needs_no_database(command: Command) -> None:
    answer = command("jobs", "--json", QUEUE_WORKER_CONCURRENCY="x")
    assert answer.code == 0
    assert "analytics_aggregator" in {job["name"] for job in json.loads(answer.out)}


TOO_DEEP = "[" * 200_000
BAD_ARGUMENTS = {
    "do not fit": ('{"seconds": "canary-value"}', "seconds: "),
    "no JSON": ("{seconds: canary-value}", "they are no JSON"),
    "too deep": (TOO_DEEP, "they are no JSON"),
    "no object": ('["canary-value"]', "they are no object"),
    "NUL": (r'{"name": "canary-value\u0000"}', "NUL character"),
    "lone surrogate": (r'{"name": "canary-value\ud800"}', "lone surrogate"),
    "not finite": ('{"seconds": NaN}', "NaN"),
    "2 MB": (json.dumps({"name": "canary-value" * 175_000}), "bytes are more than the limit"),
}


@pytest.mark.parametrize("verb", ["enqueue", "run"])
@pytest.mark.parametrize(("arguments", "problem"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS.keys())
def test_arguments_that_cannot_be_taken(
    ready: Command, standing: str, verb: str, arguments: str, problem: str
) -> None:
    before = contents(standing)
    answer = ready(verb, "nap", "--args", arguments)
    answer.assert_one_error(65, "Arguments of job 'nap' refused", problem)
    assert "canary" not in answer.err
    assert contents(standing) == before


def test_arguments_for_a_job_that_takes_none(ready: Command) -> None:
    ready("enqueue", "noop", "--args", '{"a": 1}').assert_one_error(65, "it takes none")


def test_bad_arguments_of_an_inline_run_leave_nothing(standing: str) -> None:
    before = contents(standing)
    answer = call(environment(standing), "run", "nap", "--inline", "--args", '{"seconds": "many"}')
    assert answer.returncode == 65
    assert answer.stdout == ""
    assert answer.stderr.startswith("Error: Arguments of job 'nap' refused: seconds: ")
    assert answer.stderr.count("\n") == 1
    assert contents(standing) == before


@pytest.mark.parametrize("verb", ["enqueue", "run"])
def test_an_unknown_job_with_a_suggestion(ready: Command, standing: str, verb: str) -> None:
    before = contents(standing)
    answer = ready(verb, "lokced")
    answer.assert_one_error(64, "Unknown job 'lokced'", "Did you mean 'locked'?", "Known jobs: ")
    assert contents(standing) == before


BAD_JOB = """
from datetime import timedelta
from queue_worker import JobRegistry, cron
registry = JobRegistry()
@registry.job("late", schedule=cron("61 * * * *"), timeout=timedelta(minutes=1))
async def late(ctx): ...
"""
REGISTRIES = {
    "no_such_module:registry": ("no_such_module", None),
    "no_colon": ("is not of the form package.module:name", ""),
    "bad_syntax:registry": ("does not import (SyntaxError", "def ("),
    "bad_import:registry": ("nothing_of_this_name", "import nothing_of_this_name"),
    "no_registry:registry": ("is not a JobRegistry", "registry = {}"),
    "no_name:registry": ("is not defined", ""),
    "empty:registry": (
        "holds no job",
        "from queue_worker import JobRegistry\nregistry = JobRegistry()",
    ),
    "bad_job:registry": ("does not import (DefinitionError: Job 'late': ", BAD_JOB),
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


OWN_RETENTION = BAD_JOB.replace('"late", schedule=cron("61 * * * *")', '"retention"')


@pytest.mark.parametrize("line", ["worker", "jobs", "enqueue retention", "run retention --inline"])
def test_a_job_with_a_name_of_the_queue_s_own_is_to_be_renamed(
    ready: Command, modules: Path, line: str
) -> None:
    (modules / "own_retention.py").write_text(OWN_RETENTION)
    answer = ready(*line.split(), QUEUE_WORKER_APP="own_retention:registry")
    answer.assert_one_error(
        78, "Job 'retention': name is that of a job of the queue itself", "Rename"
    )


def test_the_check_says_so_too(ready: Command, modules: Path) -> None:
    (modules / "own_retention.py").write_text(OWN_RETENTION)
    answer = ready("check", QUEUE_WORKER_APP="own_retention:registry")
    assert answer.code == 78
    assert "Rename yours" in " ".join(answer.out.split())


@pytest.mark.parametrize("reference", REGISTRIES)
def test_a_registry_that_cannot_be_loaded(
    ready: Command, standing: str, modules: Path, reference: str
) -> None:
    problem, text = REGISTRIES[reference]
    if text is not None:
        (modules / reference.partition(":")[0]).with_suffix(".py").write_text(text)
    before = contents(standing)
    for line in (["jobs"], ["worker"], ["enqueue", "noop"]):
        answer = ready("--app", reference, *line)
        answer.assert_one_error(78, f"Registry {reference!r}", problem)
    assert contents(standing) == before


@each({**COMMANDS, "demo": ["demo"]})
def test_a_wrong_setting(ready: Command, line: list[str]) -> None:
    answer = ready(*line, QUEUE_WORKER_CONCURRENCY="x")
    answer.assert_one_error(78, "QUEUE_WORKER_CONCURRENCY is refused", "How many runs")


@pytest.mark.parametrize(
    "line",
    [
        ["nonsense"],
        ["--nonsense"],
        ["runs", "--nonsense"],
        ["runs", "--limit", "0"],
        ["runs", "--outcome", "nonsense"],
        ["worker", "--concurrency", "0"],
        ["enqueue"],
        ["enqueue", "noop", "--delay", "-1"],
        ["enqueue", "noop", "--delay", "nan"],
        ["enqueue", "noop", "--delay", "1e300"],
        ["enqueue", "noop", "--delay", "soon"],
    ],
)
def test_an_unknown_command_or_option_is_a_usage_error(
    ready: Command, standing: str, line: list[str]
) -> None:
    before = contents(standing)
    answer = ready(*line)
    assert answer.code == 2
    assert answer.out == ""
    assert "Usage: " in answer.err
    assert "Traceback" not in answer.err
    assert contents(standing) == before


@pytest.mark.parametrize(
    ("option", "value"),
    [("--lock-key", "x" * 5000), ("--priority", "9" * 30)],
)
def test_options_that_the_queue_cannot_take(
    ready: Command, standing: str, option: str, value: str
) -> None:
    before = contents(standing)
    answer = ready("enqueue", "noop", option, value)
    answer.assert_one_error(65)
    assert contents(standing) == before


@pytest.fixture(scope="module")
def stranger(standing: str) -> Iterator[str]:
    """The DSN of a role that may connect and has no rights on anything of ours."""
    role = f"stranger_{os.getpid()}"
    execute(standing, f"CREATE ROLE {role} LOGIN")
    yield make_conninfo(standing, user=role)
    execute(standing, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@each(COMMANDS)
def test_a_role_without_rights_gets_one_error(
    ready: Command, standing: str, stranger: str, line: list[str]
) -> None:
    before = contents(standing)
    ready(*line, DATABASE_URL=stranger).assert_one_error(
        69, "permission denied", "Connect as a role"
    )
    assert contents(standing) == before


def test_the_check_of_a_role_without_rights_fails_without_a_traceback(
    ready: Command, stranger: str
) -> None:
    answer = ready("check", DATABASE_URL=stranger)
    assert answer.code == 69
    assert "permission denied" in answer.out
    assert answer.err == ""


@each({name: COMMANDS[name] for name in ("enqueue", "run", "runs", "status")})
def test_a_role_that_may_only_see_the_migrations_gets_one_error(
    ready: Command, standing: str, stranger: str, line: list[str]
) -> None:
    role = conninfo_to_dict(stranger)["user"]
    execute(
        standing,
        f"GRANT USAGE ON SCHEMA queue_worker TO {role}",
        f"GRANT SELECT ON queue_worker.migration TO {role}",
    )
    before = contents(standing)
    answer = ready(*line, DATABASE_URL=stranger)
    answer.assert_one_error(answer.code, "permission denied")
    assert answer.code in {65, 69}
    assert contents(standing) == before
    execute(standing, f"DROP OWNED BY {role}")


@pytest.mark.fault("F41")
def test_a_worker_of_a_role_without_rights_ends_with_one_error(
    stranger: str, standing: str
) -> None:
    role = conninfo_to_dict(stranger)["user"]
    execute(standing, f"GRANT USAGE ON SCHEMA queue_worker TO {role}")
    execute(standing, f"GRANT SELECT ON queue_worker.migration TO {role}")
    ended = call(
        environment(stranger, QUEUE_WORKER_LOG_LEVEL="warning", PYTHONWARNINGS=""), "worker"
    )
    execute(standing, f"DROP OWNED BY {role}")
    assert (ended.returncode, ended.stdout) == (69, "")
    assert ended.stderr.startswith("Error: The database refused: permission denied")
    assert ended.stderr.count("\n") == 1


def test_migrate_by_a_role_that_may_not_create(
    ready: Command, empty_database: str, stranger: str
) -> None:
    before = contents(empty_database)
    dsn = make_conninfo(empty_database, user=conninfo_to_dict(stranger)["user"])
    ready("migrate", DATABASE_URL=dsn).assert_one_error(69, "permission denied")
    assert contents(empty_database) == before


@pytest.mark.parametrize(
    "line", [["runs", "--job", "\udcff"], ["enqueue", "noop", "--lock-key", "\udcff"]]
)
def test_bytes_on_the_command_line_that_are_no_text(ready: Command, line: list[str]) -> None:
    ready(*line).assert_one_error(1, "no UTF-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="it takes a device that is full")
def test_output_that_cannot_be_written_is_one_error(standing: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            processes.command("jobs"),
            env=environment(standing),
            cwd=processes.REPOSITORY,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The system refused: [Errno 28]")
    assert done.stderr.count("\n") == 1


def test_an_error_of_the_database_never_repeats_its_detail() -> None:
    error = psycopg.errors.UniqueViolation("DETAIL: Key (name)=(canary) already exists.")
    assert "canary" not in str(explain_refusal(error))
