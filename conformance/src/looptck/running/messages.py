"""The messages between the three processes: command line, runner and worker.

Each message is a frozen dataclass.  `encode` writes one as JSON, `decode` reads
it and checks the type of every field: a loop under test shares its process with
the sender and may change what the sender writes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from ..results.verdicts import Judgement
from ..rules.catalogue import Rule


class MalformedError(Exception):
    """A text is no message, or a field of it is missing or has another type."""


class Message:
    """The base of all messages; a subclass is known by its name."""

    __slots__ = ()

    kinds: ClassVar[dict[str, type[Message]]] = {}

    def __init_subclass__(cls) -> None:
        Message.kinds[cls.__name__] = cls


# From the command line to the runner.


@dataclass(frozen=True, slots=True)
class RunnerOrder(Message):
    """Tells the runner where to report and which session of pytest to run."""

    # the descriptor for events, and the secret that signs them, in hexadecimal
    events_fd: int
    secret: str
    # the arguments of pytest
    arguments: tuple[str, ...]
    # variables for the implementation and the programs that it starts; Python
    # itself has started without them
    environment: Mapping[str, str]
    # all rules, since reading their pages takes longer than judging one
    rules: tuple[Rule, ...]


# From the runner to the command line.


@dataclass(frozen=True, slots=True)
class ImplementationFound(Message):
    """The adapter works; the fields go into the header of the results."""

    name: str
    version: str
    variants: tuple[str, ...]
    profiles: tuple[str, ...]
    virtual_time: bool
    unsupported: Mapping[str, str]
    # {file: SHA-256}
    files: Mapping[str, str]
    python: str


@dataclass(frozen=True, slots=True)
class Planned(Message):
    """So many verdicts will come."""

    total: int


@dataclass(frozen=True, slots=True)
class Judged(Message):
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class SearchResult(Message):
    """The result of one search, from the worker that made it."""

    steps: int
    scenarios: int
    # rules that the loop was known to break, and did
    passed_over: tuple[str, ...]
    # the rule that the difference breaks, and the scenario that shows it; "" for none
    rule: str
    difference: str


@dataclass(frozen=True, slots=True)
class Explored(Message):
    """A search for one profile and variant is over."""

    profile: str
    variant: str
    seed: int
    result: SearchResult

    def text(self) -> str:
        """The result for people."""
        search = f"{self.profile} ({self.variant}), seed {self.seed}"
        result = self.result
        if result.difference:
            return f"explored {search}: a difference\n\n{result.difference}\n"
        found = f"{result.steps} steps in {result.scenarios} scenarios, no difference"
        if result.passed_over:
            found += f" beyond what is broken already: {', '.join(result.passed_over)}"
        return f"explored {search}: {found}"


@dataclass(frozen=True, slots=True)
class Progress(Message):
    """The runner works, and has nothing else to report."""


@dataclass(frozen=True, slots=True)
class RunFailed(Message):
    """The run ends with this exit status and this line."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class RunEnded(Message):
    """All verdicts were sent."""


# From a worker to the runner.


@dataclass(frozen=True, slots=True)
class Began(Message):
    """The worker starts on *activity*, for example a test."""

    activity: str
    # on the monotonic clock, which all processes share
    moment: float


@dataclass(frozen=True, slots=True)
class WorkDone(Message):
    """The worker has finished, and sends nothing more."""


@dataclass(frozen=True, slots=True)
class TestRun(Message):
    """One test was run once."""

    __test__: ClassVar[bool] = False  # pytest collects classes with this prefix

    # the index of its task in the worker's batch
    task: int
    test: str
    failed: bool
    message: str
    seconds: float
    # why it was not run; "" if it was
    not_run: str = ""
    # why it does not apply on this platform; "" if it does
    not_applicable: str = ""
    calls: Mapping[str, int] = dataclasses.field(default_factory=dict)
    engines: tuple[str, ...] = ()
    # [(situation, value)]
    observed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AdapterFailed(Message):
    reason: str


@dataclass(frozen=True, slots=True)
class CallbackRan(Message):
    """The loop has called a callback, which is all that the adapter is asked for."""


@dataclass(frozen=True, slots=True)
class EnginesSeen(Message):
    """The types of the loops that a factory makes."""

    engines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimerMeasured(Message):
    """A timer was tried in virtual time."""

    # whether the loop slept in real time
    slept: bool
    # by how many seconds the clock was moved
    moved: float


def encode(message: Message) -> bytes:
    """*message* as one line of JSON, without the line feed."""
    return _to_json({"kind": type(message).__name__, **_members(message)}).encode()


def decode(text: bytes, clean: Callable[[Any], Any] = lambda data: data) -> Message:
    """The message in *text*, whose JSON data goes through *clean* first.

    Raises MalformedError.
    """
    try:
        data = clean(json.loads(text))
        made: Message = _record(Message.kinds[data.pop("kind")], data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedError(f"{text[:60]!r} is no message") from error
    return made


def as_data(record: Any) -> dict[str, Any]:
    """The fields of a message, or of a dataclass in one, as JSON types."""
    data: dict[str, Any] = json.loads(_to_json(_members(record)))
    return data


def _members(record: Any) -> dict[str, Any]:
    """The fields of a dataclass, or the members of a mapping that is no dict."""
    if isinstance(record, Mapping):
        return dict(record)
    kind: type = type(record)
    return {name: getattr(record, name) for name in _types_of(kind)}


# Bound here, since a loop under test may replace functions of the json module.
_to_json = json.JSONEncoder(default=_members).encode


@cache
def _types_of(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _record(kind: type, data: Mapping[str, Any]) -> Any:
    types = _types_of(kind)
    if data.keys() != types.keys():
        raise ValueError(f"{kind.__name__} has the fields {', '.join(types)}")
    return kind(**{name: _value(types[name], data[name]) for name in types})


def _value(hint: Any, value: Any) -> Any:
    """*value*, of JSON types, as the type that *hint* declares."""
    if type(value) is hint:
        return value
    origin, arguments = get_origin(hint), get_args(hint)
    made = value
    if origin is tuple:
        _check(list, value)
        if arguments[-1] is Ellipsis:
            made = tuple(_value(arguments[0], each) for each in value)
        else:
            made = tuple(_value(*pair) for pair in zip(arguments, value, strict=True))
    elif origin is Mapping:
        _check(dict, value)
        made = {key: _value(arguments[1], each) for key, each in value.items()}
    elif origin is UnionType:  # `X | None` is the only union that messages use
        made = None if value is None else _value(arguments[0], value)
    elif issubclass(hint, Enum):
        made = hint(value)
    elif hasattr(hint, "__dataclass_fields__"):
        made = _record(hint, value)
    elif hint is float and type(value) is int:
        made = float(value)
    else:
        _check(hint, value)
    return made


def _check(kind: type, value: Any) -> None:
    if type(value) is not kind:
        raise ValueError(f"{value!r:.60} is no {kind.__name__}")
