"""The search language: `state:failed job:sync -tenant:acme duration:>30s since:2d` means runs.

Terms stand apart by blanks and all have to hold; values apart by commas, of which one has to; `-` in front turns a term
round; quotes keep blanks and commas together.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple

from msgspec import Struct

from rota.core.duration import parse_duration
from rota.core.model import Run, State, Trigger
from rota.errors import BadSearch

ARGS = "args."
WORDS: Mapping[str, str] = {
    "run": "id, or the beginning of one",
    "job": "name",
    "tenant": "id, or @tag",
    "state": ", ".join(State),
    "queue": "name",
    "worker": "id of the worker that runs it, or ran it last",
    "trigger": ", ".join(Trigger),
    "schedule": "name",
    "round": "id",
    "parent": "id of the run that enqueued it",
    "error": "part of the error that ended it, or the beginning of its fingerprint",
    "args.NAME": "value of an argument; args.user.id looks into it, args.0 is the first of *args",
    "attempt": "number, or with a comparison: >1",
    "duration": "comparison: >30s",
    "since": "time: made at or after it",
    "until": "time: made before it",
    "slot": "date or time",
}
"""Each word and what stands after its colon."""

LEAST_PRINT = 6
"""Digits of a fingerprint that stand for it."""

_COMPARISON = re.compile(r"(>=|<=|>|<|=)?(.+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq
}  # fmt: skip
_APART = re.compile(r"""[\s,"']""")
_PRINT = re.compile(r"[0-9a-f]+")

Instant = Callable[[str], datetime]
"""Reads a time as people write it, in UTC; ValueError where it is none."""


class Comparison(NamedTuple):
    """A number or a duration that something is compared with."""

    sign: str
    value: float

    def holds(self, found: float) -> bool:
        return _COMPARE[self.sign](found, self.value)


class Span(NamedTuple):
    """The instants in [since, until)."""

    since: datetime | None
    until: datetime | None

    def holds(self, instant: datetime | None) -> bool:
        if instant is None:
            return False
        return (self.since is None or instant >= self.since) and (self.until is None or instant < self.until)


Value = str | Comparison | Span


class Term(Struct, frozen=True):
    """One condition: a word, and values of which one has to hold; or none of them, where it is turned round."""

    word: str
    values: tuple[Value, ...]
    is_negated: bool = False

    def holds(self, run: Run, *, now: datetime) -> bool:
        """Whether a run is as this term says."""
        return any(_holds(self.word, value, run, now) for value in self.values) is not self.is_negated

    @property
    def texts(self) -> tuple[str, ...]:
        """The values that are plain texts."""
        return tuple(value for value in self.values if isinstance(value, str))


class Search(Struct, frozen=True):
    """All terms have to hold."""

    terms: tuple[Term, ...] = ()

    def holds(self, run: Run, *, now: datetime) -> bool:
        """Whether a run is among those that are looked for; `now` is for how long it has been running."""
        return all(term.holds(run, now=now) for term in self.terms)

    def named(self, word: str) -> list[Term]:
        """Return the terms of a word."""
        return [term for term in self.terms if term.word == word]


def parse(text: str, *, instant: Instant) -> Search:
    """Return what a text looks for.

    Raises:
        BadSearch: it cannot be read; the message names the term, and the words there are.
    """
    return Search(tuple(_term(token, instant) for token in _tokens(text)))


def term_of(word: str, value: str) -> str:
    """Return the text of a term that looks for this value, with quotes where it needs them."""
    if not _APART.search(value):
        return f"{word}:{value}"
    quote = "'" if '"' in value else '"'
    return f"{word}:{quote}{value}{quote}"


# --- reading ---


def _tokens(text: str) -> list[list[tuple[str, bool]]]:
    """Return the terms of a text, each as its characters with whether they were quoted."""
    tokens: list[list[tuple[str, bool]]] = [[]]
    quote = ""
    for char in text:
        if quote:
            if char == quote:
                quote = ""
            else:
                tokens[-1].append((char, True))
        # An apostrophe inside a word is one.
        elif char == '"' or (char == "'" and (not tokens[-1] or tokens[-1][-1][0] in ":,")):
            quote = char
            # Also where nothing stands in the quotes, something is meant.
            tokens[-1].append(("", True))
        elif char.isspace():
            tokens.append([])
        else:
            tokens[-1].append((char, False))
    if quote:
        raise BadSearch(f"the quote {quote} in {text!r} is not closed")
    return [token for token in tokens if token]


def _term(token: list[tuple[str, bool]], instant: Instant) -> Term:
    written = "".join(char for char, _ in token)
    is_negated = token[0] == ("-", False)
    if is_negated:
        token = token[1:]
    colon = next((at for at, (char, is_quoted) in enumerate(token) if char == ":" and not is_quoted), None)
    if colon is None:
        raise BadSearch(
            f"{written!r} is no term: write word:value, such as job:{written.lstrip('-') or 'sync'}; {_known()}"
        )
    word = "".join(char for char, _ in token[:colon])
    word = word if word.startswith(ARGS) else word.lower()
    if (word not in WORDS and not (word.startswith(ARGS) and len(word) > len(ARGS))) or word == "args.NAME":
        close = get_close_matches(word, list(WORDS), n=1)
        meant = f"; did you mean {close[0]}:?" if close else ""
        raise BadSearch(f"{written!r}: no word {word!r}{meant}; {_known()}")
    values = _split(token[colon + 1 :])
    if not values:
        raise BadSearch(f"{written!r}: after {word}: stands {WORDS.get(word, WORDS['args.NAME'])}")
    try:
        return Term(word, tuple(_value(word, value, instant) for value in values), is_negated)
    except ValueError as error:
        raise BadSearch(f"{written!r}: {error}") from None


def _split(token: list[tuple[str, bool]]) -> list[str]:
    """Return the values that stand apart by commas outside of quotes; one that is empty counts only in quotes."""
    values: list[list[tuple[str, bool]]] = [[]]
    for char in token:
        if char == (",", False):
            values.append([])
        else:
            values[-1].append(char)
    return ["".join(char for char, _ in value) for value in values if value]


def _value(word: str, text: str, instant: Instant) -> Value:
    match word:
        case "state":
            return _one_of(text, tuple(State))
        case "trigger":
            return _one_of(text, tuple(Trigger))
        case "attempt":
            return _comparison(text, float, example=">1", plain=True)
        case "duration":
            return _comparison(
                text, lambda written: parse_duration(written).total_seconds(), example=">30s", plain=False
            )
        case "since":
            return Span(instant(text), None)
        case "until":
            return Span(None, instant(text))
        case "slot":
            return _slot(text, instant)
        case _:
            return text


def _one_of(text: str, known: Sequence[str]) -> str:
    if text.lower() not in known:
        close = get_close_matches(text.lower(), known, n=1)
        raise ValueError(f"it is one of {', '.join(known)}" + (f"; did you mean {close[0]}?" if close else ""))
    return str(text.lower())


def _comparison(text: str, number: Callable[[str], float], *, example: str, plain: bool) -> Comparison:
    found = _COMPARISON.fullmatch(text)
    if found is None or (found[1] is None and not plain):
        raise ValueError(f"a comparison stands there, such as {example}")
    try:
        return Comparison(found[1] or "=", number(found[2]))
    except ValueError as error:
        raise ValueError(f"{found[2]!r} cannot be compared with: write {example}") from error


def _slot(text: str, instant: Instant) -> Span:
    since = instant(text)
    try:
        next_day = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        return Span(since, since + timedelta(microseconds=1))
    # In the zone of whoever asks, where a day may have 23 hours.
    return Span(since, instant(next_day.isoformat()))


def _known() -> str:
    return f"the words are {', '.join(WORDS)}"


# --- testing ---


def _holds(word: str, value: Value, run: Run, now: datetime) -> bool:
    if isinstance(value, Span):
        return value.holds(run.slot if word == "slot" else run.created_at)
    if isinstance(value, Comparison):
        if word == "attempt":
            return value.holds(run.attempt)
        return run.started_at is not None and value.holds(((run.ended_at or now) - run.started_at).total_seconds())
    match word:
        case "run":
            return run.id.startswith(value)
        case "error":
            return _is_error(value, run)
        case _ if word.startswith(ARGS):
            return _is_argument(word.removeprefix(ARGS), value, run.args)
        case _:
            return value == (_FIELDS[word](run) or "")


_FIELDS: Mapping[str, Callable[[Run], str | None]] = {
    "job": lambda run: run.job,
    "tenant": lambda run: run.tenant,
    "state": lambda run: run.state,
    "queue": lambda run: run.queue,
    "worker": lambda run: run.owner,
    "trigger": lambda run: run.trigger,
    "schedule": lambda run: run.schedule,
    "round": lambda run: run.round_id,
    "parent": lambda run: run.parent,
}


def _is_error(text: str, run: Run) -> bool:
    error = run.error
    if error is None:
        return False
    if len(text) >= LEAST_PRINT and _PRINT.fullmatch(text) and error.fingerprint.startswith(text):
        return True
    return text.casefold() in f"{error.type}: {error.message}".casefold()


def _is_argument(path: str, text: str, args: str) -> bool:
    try:
        found = json.loads(args)
    except ValueError:
        return False
    steps = path.split(".")
    values = found.get("args", []) if steps[0].isdecimal() else found.get("kwargs", {})
    for step in steps:
        if isinstance(values, dict) and step in values:
            values = values[step]
        elif isinstance(values, list) and step.isdecimal() and int(step) < len(values):
            values = values[int(step)]
        else:
            return False
    return _is_value(values, text)


def _is_value(value: object, text: str) -> bool:
    if isinstance(value, list):
        return any(_is_value(one, text) for one in value)
    if isinstance(value, dict):
        # A date or another value with a tag: {"$date": "2026-11-21"}.
        return len(value) == 1 and all(name.startswith("$") and _is_value(one, text) for name, one in value.items())
    return (value if isinstance(value, str) else json.dumps(value)) == text
