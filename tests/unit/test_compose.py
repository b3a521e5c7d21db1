"""compose.yaml as far as a parser can tell: no Docker engine is needed, and none is tried."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from queue_worker.settings import Settings
from tests.support.tools import ROOT, accepts

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
    assert services["migrate"]["command"] == ["migrate", "--roles"]
    assert services["worker"]["command"] == ["worker"]
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
    assert compose["services"]["postgres"]["volumes"][0] == "postgres:/var/lib/postgresql"
    assert set(compose["volumes"]) == {"postgres", *MONITORING}


def test_docker_waits_longer_than_a_worker_drains(services: dict[str, Any]) -> None:
    given = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert given > defaults["drain_timeout"] + defaults["cancel_grace"]


def test_each_login_has_one_password_at_both_ends_and_no_url_holds_any(
    services: dict[str, Any],
) -> None:
    server = services["postgres"]["environment"]
    logins = {"migrate": server["POSTGRES_USER"], "worker": "app_worker"}
    passwords = {"migrate": server["POSTGRES_PASSWORD"], "worker": server["WORKER_PASSWORD"]}
    for name, login in logins.items():
        client = services[name]["environment"]
        assert client["PGPASSWORD"] == passwords[name]
        database = server["POSTGRES_DB"]
        assert client["DATABASE_URL"] == f"postgresql://{login}@postgres:5432/{database}"


def test_every_variable_given_to_a_worker_is_one_it_reads(services: dict[str, Any]) -> None:
    known = {field.alias for field in Settings.model_fields.values()} | {"PGPASSWORD"}
    assert set(services["worker"]["environment"]) <= known


def test_the_processes_have_no_rights_and_no_disk(services: dict[str, Any]) -> None:
    for name in ("migrate", "worker"):
        assert services[name]["build"] == "."
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]


def test_the_schema_of_compose_has_nothing_to_object() -> None:
    accepts("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_what_the_server_runs_at_first_makes_the_login_of_the_workers(
    services: dict[str, Any],
) -> None:
    path, there, mode = services["postgres"]["volumes"][1].split(":")
    assert (there, mode) == ("/docker-entrypoint-initdb.d/logins.sql", "ro")
    assert "CREATE ROLE app_worker LOGIN" in (ROOT / path).read_text()


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
