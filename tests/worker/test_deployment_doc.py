"""docs/DEPLOYMENT.md: its commands, in their order, on a server of their own; its pipelines, by their schemas."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from queue_worker.settings import Settings
from tests.support.blocks import read_blocks, write_files
from tests.support.postgres import Server, execute, temporary_server, two_free_ports
from tests.support.processes import REPOSITORY, environment
from tests.support.tools import accepts

PAGE = (REPOSITORY / "docs" / "DEPLOYMENT.md").read_text()
SCRIPT = "".join(block.text for block in read_blocks(REPOSITORY / "docs" / "DEPLOYMENT.md", "sh"))
PIPELINES = {
    name: yaml.safe_load(text)
    for name, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL)
}
GITHUB, GITLAB = ".github/workflows/queue-worker.yml", ".gitlab-ci.yml"


@pytest.fixture
def server() -> Iterator[Server]:
    """Its roles are of the cluster: they must not meet those of other tests. Passwords are asked for."""
    with temporary_server(os.environ.get("TEST_POSTGRES", "18")) as server:
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all app_worker all scram-sha-256\n{rules.read_text()}")
        execute(server.dsn(), "SELECT pg_reload_conf()", "CREATE DATABASE app")
        yield server


@pytest.fixture
def user(server: Server, tmp_path: Path) -> dict[str, str]:
    write_files(read_blocks(REPOSITORY / "README.md"), tmp_path)
    (tmp_path / "deploy").symlink_to(REPOSITORY / "deploy")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{server.binaries}"
    found = environment(
        server.dsn("app"),
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        COLUMNS="200",
        QUEUE_WORKER_HTTP_PORT=str(two_free_ports()),
        QUEUE_WORKER_POLL_INTERVAL="0.2",
    )
    del found["QUEUE_WORKER_ALERT_SINKS"]
    return found


def shell(script: str, user: dict[str, str], folder: Path) -> str:
    """What these lines print; all of them must end well. Nothing that they have started is left."""
    with (folder / "printed").open("w+") as output:  # a pipe would stay open in a worker
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script], env=user, cwd=folder, stdout=output,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(100)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        printed = output.read()
    assert code == 0, printed
    return printed


def test_from_nothing_to_a_rolling_deploy(
    server: Server, user: dict[str, str], tmp_path: Path
) -> None:
    here = SCRIPT.replace("db.internal:5432", f"127.0.0.1:{server.port}")
    here = here.replace("?sslmode=verify-full&sslrootcert=system", "")
    printed = shell(here, user, tmp_path)
    assert printed.count('"ready": true') == 2
    assert len(re.findall(r"Run \d+\.1 succeeded after", printed)) == 3
    assert printed.count("worker.stopped") == 2
    assert "warning" not in printed
    with psycopg.connect(server.dsn("app")) as connection:
        ended = connection.execute(
            "SELECT ended_how FROM queue_worker.worker WHERE kind = 'worker'"
        )
        assert ended.fetchall() == [("stopped",), ("stopped",)]
        runs = connection.execute("SELECT outcome::text FROM queue_worker.run WHERE job = 'greet'")
        assert runs.fetchall() == [("succeeded",)] * 3
        logins = connection.execute("SELECT usename FROM pg_user WHERE usename LIKE 'app_%'")
        assert {name for (name,) in logins} == {"app_worker", "app_deploy", "app_web"}


def test_the_login_of_the_worker_has_the_password_that_was_given(
    server: Server, user: dict[str, str], tmp_path: Path
) -> None:
    """A password with all that a shell or SQL could take for its own."""
    password = """it's "$HOME" \\ %s ; --"""
    logins = REPOSITORY / "deploy" / "postgres" / "logins.sql"
    shell(
        f'psql "{server.dsn("app")}" --quiet --file {logins}',
        {**user, "WORKER_PASSWORD": password},
        tmp_path,
    )
    where = {"host": "127.0.0.1", "port": server.port, "dbname": "app", "user": "app_worker"}
    with psycopg.connect(**where, password=password) as connection:
        member = connection.execute("SELECT pg_has_role('queue_worker_worker', 'MEMBER')")
        assert member.fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**where, password="another").close()


def test_every_command_of_a_pipeline_does_what_it_should(
    user: dict[str, str], tmp_path: Path
) -> None:
    """On an empty database, as that of the pipeline; what is the reader's own is left out."""
    user |= {"QUEUE_WORKER_APP": "myapp.jobs:registry"}
    steps = PIPELINES[GITHUB]["jobs"]["check"]["steps"]
    lines = [step["run"] for step in steps if "run" in step]
    lines += [line for job in ("migrate", "check") for line in PIPELINES[GITLAB][job]["script"]]
    ours = dict.fromkeys(line for line in lines if line.startswith("queue-worker "))
    assert len(ours) == 6
    printed = shell("\n".join(ours), user, tmp_path)
    assert "The database is at the level of this version." in printed


def test_a_pipeline_stops_where_a_migration_is_pending(
    user: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="not applied"):
        shell("queue-worker migrate --check", user, tmp_path)


@pytest.mark.parametrize(
    ("name", "schema"), [(GITHUB, "vendor.github-workflows"), (GITLAB, "vendor.gitlab-ci")]
)
def test_the_schema_of_the_pipeline_has_nothing_to_object(
    name: str, schema: str, tmp_path: Path
) -> None:
    path = tmp_path / Path(name).name
    path.write_text(yaml.safe_dump(PIPELINES[name]).replace("true:", "on:"))
    accepts("check-jsonschema", "--builtin-schema", schema, path)


def test_what_the_page_says_of_exit_codes_and_settings_holds() -> None:
    unit = (REPOSITORY / "deploy" / "systemd" / "queue-worker@.service").read_text()
    (kept_down,) = re.findall(r"^RestartPreventExitStatus=(.+)$", unit, flags=re.MULTILINE)
    two, *others = kept_down.split()
    assert f"{two}, {', '.join(others[:-1])} and {others[-1]} are not" in " ".join(PAGE.split())
    named = set(re.findall(r"\b((?:QUEUE_WORKER|JOB)_[A-Z_]+)\b", PAGE))
    known: set[Any] = {field.alias for field in Settings.model_fields.values()}
    assert named <= known


def test_every_block_is_run_or_says_why_not() -> None:
    blocks = re.findall(r"^(.*)\n```(\w+)\n", PAGE, flags=re.MULTILINE)
    unmarked = [language for before, language in blocks if not before.startswith("<!-- not run: ")]
    assert unmarked.count("sh") == 5
    assert unmarked.count("yaml") == len(PIPELINES) == 2
    assert set(unmarked) <= {"sh", "yaml", "dockerfile"}
