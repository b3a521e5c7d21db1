"""deploy/systemd: systemd's own parser takes the units, and they fit the worker."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from queue_worker.errors import QueueWorkerError, SettingsError
from queue_worker.settings import Settings
from queue_worker.worker.process import CLOSE_PATIENCE
from tests.support.tools import ROOT, accepts

UNITS = ROOT / "deploy" / "systemd"
DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}


def value(unit: str, name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", (UNITS / unit).read_text(), flags=re.MULTILINE)
    return str(found)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with a program that is there; a template needs the name of an instance."""
    program = shutil.which("true")
    for path in UNITS.glob("queue-worker*.*"):
        text = path.read_text().replace("/opt/queue-worker/bin/queue-worker", str(program))
        (tmp_path / path.name.replace("@.", "@1.")).write_text(text)
    return sorted(tmp_path.iterdir())


def test_systemd_has_nothing_to_object(units: list[Path]) -> None:
    assert len(units) == 4
    assert accepts("systemd-analyze", "verify", "--man=no", *units) == ""


def test_systemd_objects_to_what_is_wrong(units: list[Path]) -> None:
    units[-1].write_text(units[-1].read_text() + "WatchDog=30\n")
    with pytest.raises(AssertionError, match="WatchDog"):
        assert accepts("systemd-analyze", "verify", "--man=no", *units) == ""


@pytest.mark.parametrize("unit", ["queue-worker@1", "queue-worker-migrate", "queue-worker-overdue"])
def test_a_unit_is_exposed_to_little(units: list[Path], unit: str) -> None:
    """The score of systemd-analyze: from 0, all that can be shut is, to 10; below 2 is OK; these have 1.5."""
    path = next(path for path in units if path.stem == unit)
    accepts("systemd-analyze", "security", "--offline=true", "--threshold=16", "--no-pager", path)


def test_a_worker_is_given_the_time_to_drain() -> None:
    given = int(value("queue-worker@.service", "TimeoutStopSec"))
    assert given > DEFAULTS["drain_timeout"] + DEFAULTS["cancel_grace"] + CLOSE_PATIENCE
    assert value("queue-worker@.service", "KillMode") == "mixed"
    assert value("queue-worker@.service", "Type") == "notify"
    assert int(value("queue-worker@.service", "WatchdogSec")) > 10


def test_only_what_a_restart_can_mend_is_restarted() -> None:
    kept_down = {
        int(code) for code in value("queue-worker@.service", "RestartPreventExitStatus").split()
    }
    assert SettingsError.exit_code in kept_down
    assert not kept_down & {0, 1, 69, 70}
    codes = {error.exit_code for error in QueueWorkerError.__subclasses__()}
    assert kept_down <= codes | {2, 64, 65, 78}


@pytest.mark.parametrize("name", ["worker.env", "migrate.env"])
def test_every_variable_of_the_examples_is_a_setting(name: str) -> None:
    known = {field.alias for field in Settings.model_fields.values()}
    given = set(re.findall(r"^(\w+)=", (UNITS / name).read_text(), flags=re.MULTILINE))
    assert "DATABASE_URL" in given
    assert given <= known
