"""compose.yaml as far as a parser can tell: no Docker engine is needed, and none is tried."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from queue_worker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ("prometheus", "alertmanager", "grafana")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


def test_the_services_are_a_postgres_one_migration_and_workers(services: dict[str, Any]) -> None:
    always = {name for name, service in services.items() if "profiles" not in service}
    assert always == {"postgres", "migrate", "worker"}
    assert services["migrate"]["command"] == ["queue-worker", "migrate"]
    assert services["worker"]["command"] == ["queue-worker", "worker"]
    assert services["worker"]["deploy"]["replicas"] == 2


def test_postgres_is_healthy_before_migrate_and_migrated_before_workers(
    services: dict[str, Any],
) -> None:
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["worker"]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"}
    }


def test_only_what_should_run_for_ever_is_restarted(services: dict[str, Any]) -> None:
    restarts = {name: service["restart"] for name, service in services.items()}
    assert restarts.pop("migrate") == "no"
    assert set(restarts.values()) == {"unless-stopped"}


def test_the_data_is_in_a_named_volume_where_18_keeps_it(compose: dict[str, Any]) -> None:
    assert compose["services"]["postgres"]["image"] == "postgres:18"
    assert compose["services"]["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert set(compose["volumes"]) == {"postgres", *MONITORING}


def test_docker_waits_longer_than_a_worker_drains(services: dict[str, Any]) -> None:
    given = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert given > defaults["drain_timeout"] + defaults["cancel_grace"]


def test_both_ends_are_given_one_password_and_the_url_holds_none(services: dict[str, Any]) -> None:
    server = services["postgres"]["environment"]
    for name in ("migrate", "worker"):
        client = services[name]["environment"]
        assert client["PGPASSWORD"] == server["POSTGRES_PASSWORD"]
        user, database = server["POSTGRES_USER"], server["POSTGRES_DB"]
        assert client["DATABASE_URL"] == f"postgresql://{user}@postgres:5432/{database}"


def test_every_variable_given_to_a_worker_is_one_it_reads(services: dict[str, Any]) -> None:
    known = {field.alias for field in Settings.model_fields.values()} | {"PGPASSWORD"}
    assert set(services["worker"]["environment"]) <= known


def test_the_image_is_built_from_files_that_are_there(services: dict[str, Any]) -> None:
    dockerfile = services["worker"]["build"]["dockerfile_inline"]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, flags=re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert {"pyproject.toml", "queue_worker", "sql"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert "$" not in dockerfile, "compose would fill it in"


def test_monitoring_is_a_profile_of_its_own_and_stays_on_this_host(
    services: dict[str, Any],
) -> None:
    for name in MONITORING:
        assert services[name]["profiles"] == ["monitoring"]
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])
        mounted = [volume.split(":")[0] for volume in services[name]["volumes"]]
        files = [path for path in mounted if path.startswith("./")]
        assert files
        assert [path for path in files if not (ROOT / path).is_file()] == []


def test_prometheus_finds_the_workers_and_the_alertmanager(services: dict[str, Any]) -> None:
    configuration = yaml.safe_load((ROOT / "docs/monitoring/prometheus.yml").read_text())
    (scrape,) = configuration["scrape_configs"]
    (found,) = scrape["dns_sd_configs"]
    assert found["names"] == ["worker"]
    assert found["port"] == Settings.model_fields["http_port"].default
    assert scrape["honor_labels"]
    assert scrape["job_name"] == "queue_worker", "the rules ask for it by this name"
    (managers,) = configuration["alerting"]["alertmanagers"]
    assert managers["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert services["worker"]["environment"]["QUEUE_WORKER_HTTP_HOST"] == "0.0.0.0"
    assert "ports" not in services["worker"]
