"""The environment contract: read once at the edge of a process, checked, and passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from queue_worker.errors import SettingsError
from queue_worker.schemas import CONTENT, OURS, check_schema_name, schema_names

_DSN_REMEDY = (
    "Set it to a DSN such as postgresql://user:password@localhost:5432/app, "
    "its special characters percent-encoded."
)


def _checked_dsn(value: SecretStr) -> SecretStr:
    """Refuse what is no DSN without repeating any of it: it may hold a password."""
    text = value.get_secret_value()
    scheme, separator, _ = text.partition("://")
    if separator and scheme not in {"postgresql", "postgres"}:
        raise ValueError("has the wrong scheme; a DSN begins with postgresql://")
    try:
        parts = conninfo_to_dict(text)
    except (psycopg.ProgrammingError, ValueError):
        raise ValueError("is not a Postgres DSN") from None
    if not parts:
        raise ValueError("is empty")
    if _is_torn(parts):
        raise ValueError("has / or @ in a place where no host, port or database can be")
    return value


def _checked_dsns(value: SecretStr) -> SecretStr:
    for text in value.get_secret_value().split():
        _checked_dsn(SecretStr(text))
    return value


def _is_torn(parts: Mapping[str, object]) -> bool:
    """Whether a password that is not percent-encoded has become a host, a port or a database."""
    host, port, database = (str(parts.get(name) or "") for name in ("host", "port", "dbname"))
    return "@" in host + database or not all(p.isdecimal() for p in port.split(",") if p)


def _checked_schema(name: str) -> str:
    """Statements are read once for a process: it can't be told another name later."""
    if name not in schema_names():
        raise ValueError("a process takes it from its own environment, and keeps it")
    if len(set(schema_names())) == 1:
        raise ValueError("our two schemas can't be one")
    return check_schema_name(name)


def split_at_commas(text: str) -> tuple[str, ...]:
    """The names in a text."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _as_names(value: object) -> object:
    return split_at_commas(value) if isinstance(value, str) else value


Dsn = Annotated[SecretStr, AfterValidator(_checked_dsn)]
SchemaName = Annotated[str, AfterValidator(_checked_schema)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_as_names)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """Everything that the environment can say to a process.

    Field names are the Python names; the alias of each is its environment variable.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    database_url: Dsn = Field(
        alias="DATABASE_URL", description="DSN of the database that holds the queue."
    )
    direct_url: Dsn | None = Field(
        default=None,
        alias="QUEUE_WORKER_DIRECT_URL",
        description="DSN that reaches the server itself where DATABASE_URL is a pooler.",
    )
    fleet: Annotated[SecretStr, AfterValidator(_checked_dsns)] = Field(
        default=SecretStr(""),
        alias="QUEUE_WORKER_FLEET",
        description="URLs of further databases for `queue-worker fleet`, separated by spaces.",
    )
    schema_name: SchemaName = Field(
        default=OURS,
        alias="QUEUE_WORKER_SCHEMA",
        description="The schema of the fleet and the ledger, as it was at the first migration.",
    )
    content_schema: SchemaName = Field(
        default=CONTENT,
        alias="QUEUE_WORKER_CONTENT_SCHEMA",
        description="The schema of the first-party jobs' tables, likewise.",
    )
    app: str = Field(
        default="queue_worker.jobs:registry",
        alias="QUEUE_WORKER_APP",
        description="The registry to load, as package.module:name.",
    )
    plugins: Names = Field(
        default=(),
        alias="QUEUE_WORKER_PLUGINS",
        description="Jobs of other packages to take in, by the names of their entry points.",
    )
    dry_run: bool = Field(
        default=False,
        alias="JOB_DRY_RUN",
        description="Record and log every run, but call no job function.",
    )
    content_generator: str | None = Field(
        default=None,
        alias="CONTENT_GENERATOR",
        description="The callable that regenerates content, as module:callable.",
    )
    queues: Names = Field(
        default=(),
        alias="QUEUE_WORKER_QUEUES",
        description="Queues a worker serves, separated by commas; none means all.",
    )
    concurrency: int = Field(
        default=10,
        ge=1,
        le=1000,
        alias="QUEUE_WORKER_CONCURRENCY",
        description="How many runs a worker executes at once.",
    )
    poll_interval: Seconds = Field(
        default=2.0,
        alias="QUEUE_WORKER_POLL_INTERVAL",
        description="Seconds between looks at all that waits, whether notifications come or not.",
    )
    drain_timeout: Seconds = Field(
        default=30.0,
        alias="QUEUE_WORKER_DRAIN_TIMEOUT",
        description="Seconds that running jobs get to end after SIGTERM.",
    )
    cancel_grace: Seconds = Field(
        default=5.0,
        alias="QUEUE_WORKER_CANCEL_GRACE",
        description="Seconds that a cancelled job gets to clean up.",
    )
    connect_timeout: Seconds = Field(
        default=5.0,
        alias="QUEUE_WORKER_CONNECT_TIMEOUT",
        description="Seconds to wait for a connection to the database.",
    )
    max_args_bytes: int = Field(
        default=1_000_000,
        ge=1,
        le=100_000_000,
        alias="QUEUE_WORKER_MAX_ARGS_BYTES",
        description="The largest arguments that may be enqueued, in bytes of JSON.",
    )
    client_pool_size: int = Field(
        default=4,
        ge=1,
        le=1000,
        alias="QUEUE_WORKER_CLIENT_POOL_SIZE",
        description="How many connections a client that enqueues may hold.",
    )
    retention_schedule: str | None = Field(
        default=None,
        alias="RETENTION_SCHEDULE",
        description="When the job retention is due, in UTC; without it, only on demand.",
    )
    keep_succeeded_days: int = Field(
        default=7,
        ge=1,
        le=3650,
        alias="RETENTION_SUCCEEDED_DAYS",
        description="Days that queue rows are kept after they have succeeded.",
    )
    keep_finished_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        alias="RETENTION_FINISHED_DAYS",
        description="Days that queue rows are kept after they have ended in any other way.",
    )
    keep_runs_days: int | None = Field(
        default=None,
        ge=90,
        le=36_500,
        alias="RETENTION_LEDGER_DAYS",
        description="Days that runs are kept in the ledger; otherwise for ever.",
    )
    require_tls: bool = Field(
        default=False,
        alias="QUEUE_WORKER_REQUIRE_TLS",
        description="Refuse to start unless a connection to another host is verified TLS.",
    )
    validation_schedule: str = Field(
        default="*/5 * * * *",
        alias="QUEUE_WORKER_VALIDATION_SCHEDULE",
        description="When a worker checks its environment again: a cron expression, or manual.",
    )
    longest_transaction: Seconds = Field(
        default=3600.0,
        alias="QUEUE_WORKER_LONGEST_TRANSACTION",
        description="Seconds for which a transaction may hold vacuum back without an alert.",
    )
    most_wal_held: int = Field(
        default=1024,
        ge=0,
        le=1_000_000_000,
        alias="QUEUE_WORKER_MOST_WAL_HELD",
        description="MiB that an unused replication slot may keep without an alert.",
    )
    event_loop: Literal["auto", "asyncio", "uvloop"] = Field(
        default="auto",
        alias="QUEUE_WORKER_EVENT_LOOP",
        description="The event loop of a worker; auto takes uvloop where it is installed.",
    )
    http_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        alias="QUEUE_WORKER_HTTP_HOST",
        description="Address on which a worker answers /live, /ready and /metrics.",
    )
    http_port: int = Field(
        default=9464,
        ge=0,
        le=65_535,
        alias="QUEUE_WORKER_HTTP_PORT",
        description="Port for that; one in use makes it try the 63 above. 0 means none.",
    )
    tracing: bool = Field(
        default=False,
        alias="QUEUE_WORKER_TRACING",
        description="Trace jobs with OpenTelemetry; needs the extra otel.",
    )
    alert_sinks: SecretStr = Field(
        default=SecretStr("log:"),
        alias="QUEUE_WORKER_ALERT_SINKS",
        description="Where alerts are delivered: URLs, separated by spaces; see docs/ALERTS.md.",
    )
    alert_secret: SecretStr | None = Field(
        default=None,
        alias="QUEUE_WORKER_ALERT_SECRET",
        description="The secret that webhooks are signed with: whsec_ and base64.",
    )
    alert_allow_private: bool = Field(
        default=False,
        alias="QUEUE_WORKER_ALERT_ALLOW_PRIVATE",
        description="Let sinks that speak HTTP be at private and loopback addresses.",
    )
    alert_window: Seconds = Field(
        default=600.0,
        alias="QUEUE_WORKER_ALERT_WINDOW",
        description="Seconds in which one alert is told at most once.",
    )
    alert_timeout: Annotated[float, Field(gt=0, le=10)] = Field(
        default=5.0,
        alias="QUEUE_WORKER_ALERT_TIMEOUT",
        description="Seconds that one delivery of an alert may take.",
    )
    alert_lag: Seconds = Field(
        default=300.0,
        alias="QUEUE_WORKER_ALERT_LAG",
        description="Seconds that the oldest due job of a queue may wait before that is an alert.",
    )
    log_format: Literal["console", "json"] = Field(
        default="console",
        alias="QUEUE_WORKER_LOG_FORMAT",
        description="How log lines look: for people or for programs.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", alias="QUEUE_WORKER_LOG_LEVEL", description="The least level logged."
    )

    def as_environment(self) -> dict[str, str]:
        """The environment variables that say the same; they hold the DSN in clear."""
        found = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            if value is not None and field.alias:
                found[field.alias] = ",".join(value) if isinstance(value, tuple) else str(value)
        return found

    @property
    def secrets(self) -> list[str]:
        """What must stand in no log, ledger or message: passwords, in clear."""
        found = [os.environ.get("PGPASSWORD", "")]
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                found += _secrets_of(value.get_secret_value())
        return [secret for secret in found if secret]

    @property
    def dsn(self) -> str:
        """The DSN of ordinary statements, in clear."""
        return self.database_url.get_secret_value()

    @property
    def servers(self) -> list[Settings]:
        """The same settings for each database of the fleet, this one first."""
        others = [SecretStr(dsn) for dsn in self.fleet.get_secret_value().split()]
        each = dict.fromkeys([self.direct_url or self.database_url, *others])
        return [self.model_copy(update={"database_url": d, "direct_url": None}) for d in each]

    @property
    def direct_dsn(self) -> str:
        """The DSN of the sessions that must reach the server itself, in clear."""
        return (self.direct_url or self.database_url).get_secret_value()


def _secrets_of(value: str) -> list[str]:
    """Of a DSN its passwords, also as they are written in it; else the value itself."""
    several = value.split()
    if len(several) > 1 and all("://" in part for part in several):
        return [secret for part in several for secret in _secrets_of(part)]
    try:
        parts = conninfo_to_dict(value)
    except psycopg.ProgrammingError:
        return [value]
    return [str(parts[name]) for name in ("password", "sslpassword") if parts.get(name)]


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401  any field
    """Read the environment; `overrides` (from the command line) win.

    Raises:
        SettingsError: a variable is missing or malformed; its value is never in the message.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _settings_error(str(first["loc"][0]), first["type"], first["msg"]) from None


def _settings_error(location: str, kind: str, message: str) -> SettingsError:
    field = Settings.model_fields.get(location)
    variable = (field.alias if field else None) or location
    is_dsn = variable in {"DATABASE_URL", "QUEUE_WORKER_DIRECT_URL", "QUEUE_WORKER_FLEET"}
    remedy = _DSN_REMEDY if is_dsn else _remedy(variable)
    if kind == "missing":
        return SettingsError(variable, "is not set", remedy)
    problem = message.removeprefix("Value error, ")
    return SettingsError(variable, problem if is_dsn else f"is refused: {problem}", remedy)


def _remedy(variable: str) -> str:
    for field in Settings.model_fields.values():
        if field.alias == variable:
            return f"It is: {field.description} The default is {field.default!r}."
    return "See docs/ENVIRONMENT.md."
