"""Arguments: checked before they are written and when they are read; never repeated in an error."""

from __future__ import annotations

import itertools
import json
import traceback
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from queue_worker import JobContext, JobDefinition
from queue_worker.arguments import dump_arguments, load_arguments
from queue_worker.errors import ArgumentsError

CANARY = "c4n4ry"
LIMIT = 1_000_000


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"


class Wide(BaseModel):
    number: int = 0
    real: float | None = None
    text: str = ""
    anything: Any = None
    table: dict[str, int] = {}
    pet: Cat | Dog = Field(default_factory=Cat, discriminator="kind")
    key: uuid.UUID | None = None
    checked: str = ""
    raw: bytes = b""

    @field_validator("checked")
    @classmethod
    def refuse(cls, value: str) -> str:
        if value:
            raise ValueError(f"{value} is not good")
        return value


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    at: datetime
    day: date = date(2024, 2, 29)
    price: Decimal = Decimal("0.10")
    wait: timedelta = timedelta(seconds=1.5)
    names: tuple[str, ...] = ()


class Renamed(BaseModel):
    content_id: str = Field(alias="contentId")


async def run_with(ctx: JobContext, args: Any) -> None: ...


async def run(ctx: JobContext) -> None: ...


def job_of(model: type[BaseModel] | None) -> JobDefinition[Any]:
    return JobDefinition(
        name="a.job", function=run_with if model else run, timeout=timedelta(minutes=1), args=model
    )


WIDE, STRICT, NONE = job_of(Wide), job_of(Strict), job_of(None)
UNCHECKED = Wide.model_construct(number=CANARY)  # type: ignore[arg-type]
AT = datetime(2024, 1, 1, 12, tzinfo=UTC)


def refused(job: JobDefinition[Any], arguments: object, limit: int = LIMIT) -> ArgumentsError:
    with pytest.raises(ArgumentsError) as caught:
        dump_arguments(job, arguments, limit)
    assert str(caught.value).startswith("Arguments of job 'a.job' refused: ")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert len(str(caught.value)) < 2_000
    return caught.value


class Sticky(Wide):
    """A model that takes anything, as model_construct and assignment do."""


def changed(**values: Any) -> Wide:
    found = Wide()
    for name, value in values.items():
        setattr(found, name, value)
    return found


@pytest.mark.fault("F28", "F29")
@pytest.mark.parametrize(
    ("job", "arguments", "problem"),
    [
        (NONE, {"number": 1}, "it takes none"),
        (NONE, Wide(), "it takes none"),
        (NONE, 0, "it takes none"),
        (WIDE, Cat(), "a Cat is not a Wide"),
        (WIDE, [1], "a list is not a Wide"),
        (WIDE, CANARY, "a str is not a Wide"),
        (WIDE, Wide, "a ModelMetaclass is not a Wide"),
        (STRICT, None, "at: Field required"),
        (STRICT, {}, "at: Field required"),
        (STRICT, {"at": CANARY}, "at: Input should be a valid datetime"),
        (STRICT, {"at": AT, "extra": CANARY}, "extra: Extra inputs are not permitted"),
        (WIDE, {"number": CANARY}, "number: Input should be a valid integer"),
        (WIDE, {"number": "1" * 5_000}, "number: Unable to parse"),
        (WIDE, {"table": {CANARY: CANARY}}, "table.…: Input should be a valid integer"),
        (WIDE, {"pet": {"kind": CANARY}}, "pet: does not fit (union_tag_invalid)"),
        (
            WIDE,
            {"pet": {"kind": "cat", "lives": CANARY}},
            "pet.….lives: Input should be a valid int",
        ),
        (WIDE, {"key": CANARY}, "key: does not fit (uuid_parsing)"),
        (WIDE, {"checked": CANARY}, "checked: does not fit (value_error)"),
        (WIDE, {"text": f"{CANARY}\0"}, "a text holds a NUL character"),
        (WIDE, {"anything": {f"{CANARY}\0": 1}}, "a text holds a NUL character"),
        (WIDE, {"anything": [[f"{CANARY}\0"]]}, "a text holds a NUL character"),
        (WIDE, {"real": float("nan")}, "NaN"),
        (WIDE, {"real": float("-inf")}, "NaN"),
        (WIDE, {"anything": float("nan")}, "NaN"),
        (WIDE, {"anything": [{"a": float("inf")}]}, "NaN"),
        (WIDE, {"anything": f"{CANARY}\ud800"}, "a lone surrogate"),
        (WIDE, {"anything": {f"{CANARY}\ud800": 1}}, "a lone surrogate"),
        (WIDE, {"text": f"{CANARY}\ud800"}, "a lone surrogate"),
        (WIDE, {"raw": b"\xff\xfe"}, "bytes that are no text"),
        (WIDE, {"anything": b"\xff\xfe"}, "bytes that are no text"),
        (WIDE, {"anything": object()}, "of another type"),
        (WIDE, {"anything": 10**5_000}, "a value is none that JSON can hold"),
        (WIDE, {"text": CANARY * 200_000}, "1,200,1"),
        (WIDE, {"text": "ü" * 600_000}, "are more than the limit of 1,000,000"),
        (WIDE, changed(number=CANARY), "number: Input should be a valid integer"),
        (WIDE, UNCHECKED, "number: Input should be a valid integer"),
    ],
    ids=(str(number) for number in itertools.count()),
)
def test_arguments_that_do_not_fit_are_refused_and_not_repeated(
    job: JobDefinition[Any], arguments: object, problem: str
) -> None:
    assert problem in str(refused(job, arguments))


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    deep: Any = None
    for _ in range(100_000):
        deep = [deep]
    for value in (loop, deep):
        assert "JSON can hold" in str(refused(WIDE, changed(anything=value)))
    while deep:  # or else its end is a recursion of its own
        (deep,) = deep


def test_many_problems_are_ten() -> None:
    error = refused(WIDE, {"table": {f"{CANARY}{n}": CANARY for n in range(50)}})
    assert len(error.problems) == 10


@pytest.mark.fault("F29")
def test_two_megabytes_are_refused_in_bytes_of_json() -> None:
    assert "2,0" in str(refused(WIDE, Wide(text="x" * 2_000_000)))
    size = len(dump_arguments(WIDE, Wide(text="ü"), LIMIT).encode())
    assert dump_arguments(WIDE, Wide(text="ü"), size)
    refused(WIDE, Wide(text="ü"), size - 1)


def test_a_job_without_arguments_takes_none() -> None:
    assert dump_arguments(NONE, None, LIMIT) == "{}"
    assert dump_arguments(NONE, {}, LIMIT) == "{}"
    assert load_arguments(NONE, "{}") is None


def test_no_arguments_are_the_defaults() -> None:
    assert load_arguments(WIDE, dump_arguments(WIDE, None, LIMIT)) == Wide()


def test_a_strict_model_is_read_as_it_was_written() -> None:
    given_ = Strict(at=AT, names=("a", "b"))
    assert load_arguments(STRICT, dump_arguments(STRICT, given_, LIMIT)) == given_


def test_a_strict_model_takes_a_mapping_of_python_or_of_json() -> None:
    for at in (AT, "2024-01-01T12:00:00Z"):
        text = dump_arguments(STRICT, {"at": at}, LIMIT)
        assert load_arguments(STRICT, text) == Strict(at=AT)


def test_fields_are_written_under_their_alias() -> None:
    job = job_of(Renamed)
    text = dump_arguments(job, Renamed(contentId="c1"), LIMIT)
    assert json.loads(text) == {"contentId": "c1"}
    assert load_arguments(job, text) == Renamed(contentId="c1")
    assert dump_arguments(job, {"contentId": "c1"}, LIMIT) == text


def test_a_backslash_before_u0000_is_no_nul() -> None:
    text = dump_arguments(WIDE, {"text": "\\u0000"}, LIMIT)
    assert load_arguments(WIDE, text) == Wide(text="\\u0000")


def test_a_subclass_is_read_as_what_the_job_declares() -> None:
    text = dump_arguments(WIDE, Sticky(number=3), LIMIT)
    assert load_arguments(WIDE, text) == Wide(number=3)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


@given(st.builds(
    Wide, number=st.integers(-(2**70), 2**70), text=texts, anything=values, key=st.uuids() | st.none(),
    real=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    table=st.dictionaries(texts, st.integers(-5, 5), max_size=3),
    pet=st.builds(Cat, lives=st.integers(0, 9)) | st.builds(Dog), raw=texts.map(str.encode),
    checked=st.just(""),
))  # fmt: skip
def test_what_is_written_is_what_is_read(arguments: Wide) -> None:
    assert load_arguments(WIDE, dump_arguments(WIDE, arguments, LIMIT)) == arguments


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "[]",
        '"text"',
        "1",
        "",
        "{",
        f'{{"number": "{CANARY}"}}',
        f'["{CANARY}"]',
        "[" * 100_000,
    ],
)
def test_what_stands_in_the_queue_is_checked_again(text: str) -> None:
    for job in (WIDE, NONE):
        with pytest.raises(ArgumentsError) as caught:
            load_arguments(job, text)
        assert CANARY not in "".join(traceback.format_exception(caught.value))
