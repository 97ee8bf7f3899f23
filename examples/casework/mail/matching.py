"""To which case and contact a message belongs. Values in, values out: no database, no clock."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

REFERENCE = re.compile(r"\bC-\d{4}-\d{3,6}\b", re.IGNORECASE)


class MatchedBy(StrEnum):
    """What told, the surest first."""

    REFERENCE = "reference"
    """The subject names the case."""
    THREAD = "thread"
    """It answers a message of the case."""
    ADDRESS = "address"
    """Somebody in it has this one open case."""
    CONTACT = "contact"
    """Somebody in it is known, and has no open case or several."""


class Unfiled(Struct, frozen=True, kw_only=True):
    """A message that is to be matched."""

    id: int
    message_id: str = ""
    references: Sequence[str] = ()
    """The messages that it answers, nearest last."""
    subject: str = ""
    addresses: Sequence[str] = ()


class Register(Struct, frozen=True, kw_only=True):
    """What the agency knows."""

    cases: Mapping[str, int] = {}
    """By reference, in capitals."""
    contacts: Mapping[str, int] = {}
    """By address, in small letters."""
    open_cases: Mapping[int, Sequence[int]] = {}
    """By contact."""
    filed: Mapping[str, int] = {}
    """The cases of messages that have one, by Message-ID."""


class Match(Struct, frozen=True, kw_only=True):
    """Where a message belongs."""

    by: MatchedBy
    case_id: int | None = None
    contact_id: int | None = None


Rule = Callable[[Unfiled, Register, Mapping[str, int]], Match | None]


def match(messages: Sequence[Unfiled], register: Register) -> dict[int, Match]:
    """Return where messages belong, by id; those that belong nowhere are left out.

    A message that is filed takes along those that answer it, in whatever order they came.
    """
    found: dict[int, Match] = {}
    filed = dict(register.filed)

    def find(rule: Rule) -> bool:
        """File what the rule finds a case for, and return whether there was any."""
        before = len(found)
        for message in messages:
            where = None if message.id in found else rule(message, register, filed)
            if where is not None:
                found[message.id] = where
                if where.case_id is not None and message.message_id:
                    filed.setdefault(message.message_id, where.case_id)
        return len(found) > before

    # Each rule for all messages before the next, or an answer would be filed by its address while the message that it
    # answers is yet to be filed by its reference.
    find(_by_reference)
    while find(_by_thread):
        pass
    find(_by_address)
    while find(_by_thread):
        pass
    find(_by_contact)
    return found


def _by_reference(message: Unfiled, register: Register, _filed: Mapping[str, int]) -> Match | None:
    named = [reference.upper() for reference in REFERENCE.findall(message.subject)]
    case_id = next((register.cases[reference] for reference in named if reference in register.cases), None)
    return _in(case_id, message, register, by=MatchedBy.REFERENCE)


def _by_thread(message: Unfiled, register: Register, filed: Mapping[str, int]) -> Match | None:
    case_id = next((filed[answered] for answered in reversed(message.references) if answered in filed), None)
    return _in(case_id, message, register, by=MatchedBy.THREAD)


def _by_address(message: Unfiled, register: Register, _filed: Mapping[str, int]) -> Match | None:
    known = _contacts(message, register)
    cases = {case_id for contact_id in known for case_id in register.open_cases.get(contact_id, ())}
    # Of several cases none: a letter in the wrong file is worse than one that waits for a person.
    case_id = cases.pop() if len(cases) == 1 else None
    return _in(case_id, message, register, by=MatchedBy.ADDRESS)


def _by_contact(message: Unfiled, register: Register, _filed: Mapping[str, int]) -> Match | None:
    known = _contacts(message, register)
    return Match(by=MatchedBy.CONTACT, contact_id=known[0]) if known else None


def _in(case_id: int | None, message: Unfiled, register: Register, *, by: MatchedBy) -> Match | None:
    if case_id is None:
        return None
    return Match(by=by, case_id=case_id, contact_id=next(iter(_contacts(message, register)), None))


def _contacts(message: Unfiled, register: Register) -> list[int]:
    """Return whom of its people the agency knows, the sender first."""
    return [register.contacts[address] for address in message.addresses if address in register.contacts]
