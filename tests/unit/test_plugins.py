"""What other packages ship: found by their entry points, and refused with the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from queue_worker.errors import PluginError
from queue_worker.housekeeping import load_jobs, load_sources
from queue_worker.observability.alerts.addresses import open_sinks
from queue_worker.plugins import load_plugin
from queue_worker.settings import load_settings

MODULE = """
from datetime import timedelta
from queue_worker import JobContext, JobRegistry

registry, empty, taken = JobRegistry(), JobRegistry(), JobRegistry()
nothing = None

@registry.job("parcels.track", timeout=timedelta(seconds=5))
async def track(ctx: JobContext) -> None: ...

@taken.job("noop", timeout=timedelta(seconds=5))
async def noop(ctx: JobContext) -> None: ...
"""
PAGER = """
from dataclasses import dataclass

nothing = None

@dataclass
class Pager:
    name: str
    url: str
    timeout: float
"""
APP = "tests.support.jobs:registry"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with these entry points, as far as Python can tell."""

    def install(package: str, entry_points: str, module: str = MODULE) -> None:
        site = tmp_path / package
        information = site / f"{package}-2.0.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.0\n"
        )
        (information / "entry_points.txt").write_text(entry_points)
        (site / f"{package}_module.py").write_text(module)
        monkeypatch.syspath_prepend(site)

    return install


def test_nothing_is_taken_in_that_was_not_named(install: Install) -> None:
    install("unnamed", "[queue_worker.jobs]\nparcels = unnamed_module:registry\n", "1 / 0")
    assert "parcels.track" not in load_jobs(APP, [])
    assert list(load_sources(APP, [])) == [APP, "queue_worker"]


def test_a_plugin_that_is_named_adds_its_jobs(install: Install) -> None:
    install("parcels", "[queue_worker.jobs]\nparcels = parcels_module:registry\n")
    sources = load_sources(APP, ["parcels"])
    assert [job.name for job in sources["plugin parcels (parcels 2.0)"]] == ["parcels.track"]
    assert {"noop", "parcels.track"} <= set(load_jobs(APP, ["parcels"]).names)


def test_a_registry_that_includes_the_plugin_itself_has_its_jobs_once(install: Install) -> None:
    install("parcels2", "[queue_worker.jobs]\nparcels = parcels2_module:registry\n")
    sources = load_sources("parcels2_module:registry", ["parcels"])
    assert [len(jobs) for jobs in sources.values()][:2] == [1, 0]


@pytest.mark.parametrize(
    ("refers_to", "message"),
    [
        ("broken_module:taken", "of broken 2.0 has a job 'noop', a name that is already taken"),
        ("broken_module:empty", "of broken 2.0 refers to broken_module:empty, which holds no job"),
        ("broken_module:nothing", "refers to broken_module:nothing, which is no JobRegistry"),
        ("broken_module:absent", "of broken 2.0 does not import (AttributeError: "),
        ("absent_module:registry", "of broken 2.0 does not import (ModuleNotFoundError: "),
    ],
)
def test_a_plugin_that_is_broken_says_how(install: Install, refers_to: str, message: str) -> None:
    install("broken", f"[queue_worker.jobs]\nbroken = {refers_to}\n")
    with pytest.raises(PluginError) as refused:
        load_jobs(APP, ["broken"])
    assert message in str(refused.value)
    assert refused.value.exit_code == 78


def test_a_plugin_that_is_not_installed_names_those_that_are(install: Install) -> None:
    install("parcels3", "[queue_worker.jobs]\nparcels = parcels3_module:registry\n")
    with pytest.raises(PluginError, match=r"Did you mean 'parcels'\? .* one of these: parcels\."):
        load_plugin("parcel")


def test_a_name_that_two_packages_offer_is_refused(install: Install) -> None:
    for package in ("twin_a", "twin_b"):
        install(package, f"[queue_worker.jobs]\ntwin = {package}_module:registry\n")
    with pytest.raises(PluginError, match=r"is offered by twin_a 2\.0 and twin_b 2\.0\. Uninstall"):
        load_plugin("twin")


def sinks(urls: str) -> dict[str, Any]:
    settings = load_settings(database_url="postgresql://nowhere/", alert_sinks=urls)
    return dict(open_sinks(settings))


def test_an_alert_sink_is_made_by_the_package_that_is_named(install: Install) -> None:
    install(
        "pager",
        "[queue_worker.alert_sinks]\npager = pager_module:Pager\nbad = pager_module:nothing\n",
        PAGER,
    )
    (name, sink), _ = sinks("plugin+pager://night:5/?key=secret log:").items()
    assert "secret" not in name
    assert (sink.name, sink.url, sink.timeout) == (name, "pager://night:5/?key=secret", 5.0)
    with pytest.raises(PluginError, match=r"pager_module:nothing, which cannot be called"):
        sinks("plugin+bad://night")
    with pytest.raises(
        PluginError, match=r"Plugin 'page' \(queue_worker.alert_sinks\) is offered"
    ) as e:
        sinks("plugin+page://night?key=secret")
    assert "secret" not in str(e.value)
