"""Settings: the environment contract, and that it never repeats a secret."""

from __future__ import annotations

import traceback

import pytest

from queue_worker import Settings, load_settings
from queue_worker.errors import SettingsError

DSN = "postgresql://ada:correct@db.example:5433/app"
CANARY = "c4n4ry"


@pytest.fixture(autouse=True)
def only_a_dsn(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.setenv("DATABASE_URL", DSN)


def refused() -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value


def test_a_dsn_is_enough() -> None:
    settings = load_settings()
    assert settings.dsn == settings.direct_dsn == DSN
    assert settings.app == "queue_worker.jobs:registry"
    assert settings.queues == ()
    assert settings.dry_run is False


def test_a_missing_dsn_says_how_to_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    error = refused()
    assert error.variable == "DATABASE_URL"
    assert str(error).startswith("DATABASE_URL is not set. Set it to a DSN such as postgresql://")
    assert error.exit_code == 78


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JOB_DRY_RUN", "perhaps"),
        ("QUEUE_WORKER_CONCURRENCY", "0"),
        ("QUEUE_WORKER_CONCURRENCY", "1001"),
        ("QUEUE_WORKER_CONCURRENCY", "many"),
        ("QUEUE_WORKER_CONCURRENCY", "2.5"),
        ("QUEUE_WORKER_POLL_INTERVAL", "0"),
        ("QUEUE_WORKER_POLL_INTERVAL", "-1"),
        ("QUEUE_WORKER_POLL_INTERVAL", "nan"),
        ("QUEUE_WORKER_POLL_INTERVAL", "inf"),
        ("QUEUE_WORKER_DRAIN_TIMEOUT", "soon"),
        ("QUEUE_WORKER_CANCEL_GRACE", "86401"),
        ("QUEUE_WORKER_CONNECT_TIMEOUT", "5s"),
        ("QUEUE_WORKER_MAX_ARGS_BYTES", "1MB"),
        ("QUEUE_WORKER_MAX_ARGS_BYTES", "0"),
        ("QUEUE_WORKER_CLIENT_POOL_SIZE", "0"),
        ("QUEUE_WORKER_LOG_FORMAT", "xml"),
        ("QUEUE_WORKER_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_names_its_variable_and_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    error = refused()
    assert error.variable == variable
    assert str(error).startswith(f"{variable} is refused: ")
    assert "The default is " in str(error)
    assert "\n" not in str(error)


MALFORMED = [
    f"mysql://ada:{CANARY}@db/app",
    f"postgresql+psycopg://ada:{CANARY}@db/app",
    f"{CANARY}://ada@db/app",
    f"host=db password={CANARY} two words",
    f"host=db pass={CANARY}",
    f"ada:{CANARY}@db/app",
    f"postgresql://ada:%{CANARY}@db/app",
    f"postgresql://ada:{CANARY}@[db/app",
    f"postgresql://ada:{CANARY}\u2100@[db/app",
    f"postgresql://ada:{CANARY}@db/app?nosuch={CANARY}",
    f"postgresql://ada:{CANARY}/more@db/app",
    f"postgresql://ada:1234/{CANARY}@db/app",
    f"postgresql://ada:{CANARY}@{CANARY}@db/app",
    f"postgresql://ada:{CANARY}@db:port/app",
    f"'{CANARY}",
    CANARY,
]


@pytest.mark.parametrize("dsn", MALFORMED)
@pytest.mark.parametrize("variable", ["DATABASE_URL", "QUEUE_WORKER_DIRECT_URL"])
def test_a_malformed_dsn_is_never_repeated(
    monkeypatch: pytest.MonkeyPatch, variable: str, dsn: str
) -> None:
    monkeypatch.setenv(variable, dsn)
    error = refused()
    assert error.variable == variable
    assert "Set it to a DSN such as" in str(error)
    for text in (str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)):
        assert CANARY not in text
    assert CANARY not in repr(error.__context__)
    assert CANARY not in str(error.__context__)


def test_a_dsn_from_the_command_line_is_never_repeated_either() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(database_url=f"mysql://ada:{CANARY}@db/app")
    assert caught.value.variable == "DATABASE_URL"
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "dsn",
    [
        DSN, "postgres://db/app", "postgresql:///app", "postgresql://ada:p%40s%2Fs@db/app",
        "postgresql://[::1]:5432/app", "host=db dbname=app password='two words'", "service=app",
        "postgresql://one:5432,two:5433/app", "postgresql:///app?host=/run/postgresql",
    ],
)  # fmt: skip
def test_every_form_of_a_dsn_is_taken(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv("DATABASE_URL", dsn)
    assert load_settings().dsn == dsn


def test_no_settings_show_their_secrets() -> None:
    settings = load_settings()
    assert "correct" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("name", [f for f in Settings.model_fields if f != "database_url"])
def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    field = Settings.model_fields[name]
    monkeypatch.setenv(str(field.alias), "")
    assert getattr(load_settings(), name) == field.default


def test_an_empty_dsn_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert "DATABASE_URL is not set" in str(refused())


@pytest.mark.parametrize(
    ("text", "queues"),
    [
        ("mail", ("mail",)),
        ("mail,reports", ("mail", "reports")),
        (" mail , ,reports,", ("mail", "reports")),
        (",", ()),
    ],
)
def test_queues_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, queues: tuple[str, ...]
) -> None:
    monkeypatch.setenv("QUEUE_WORKER_QUEUES", text)
    assert load_settings().queues == queues


def test_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_WORKER_CONCURRENCY", "3")
    assert load_settings().concurrency == 3
    assert load_settings(concurrency=4).concurrency == 4
    assert load_settings(concurrency=None).concurrency == 3
    assert load_settings(database_url="postgresql:///other").dsn == "postgresql:///other"


def test_settings_survive_the_way_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(
        direct_url="postgresql://ada:p%40ss@direct/app", dry_run=True, queues=("a", "b"),
        concurrency=7, poll_interval=0.25, log_format="json", content_generator="a.b:c",
    )  # fmt: skip
    for variable, value in settings.as_environment().items():
        monkeypatch.setenv(variable, value)
    assert load_settings() == settings


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().concurrency = 5  # type: ignore[misc]
