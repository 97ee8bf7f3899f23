"""Crontabs: a user's own, and the system's with a user in each line.

Sources:
    Debian's crontab(5) (cron 3.0pl1): comments, `name = value`, `%`, the @names, day of month or day of week, and under
    "Limitations" that TZ does not move the times. Cronie's crontab(5): CRON_TZ, `~` and a leading `-`.
"""

import re
from collections.abc import Mapping

from msgspec.structs import replace

from rota.core.zone import is_zone
from rota.errors import BadSchedule, NoEqual, SourceUnreadable
from rota.importers.command import Command, command_in
from rota.importers.found import LOCAL, LOST, MOST, OVERLAPS, TOO_MANY, Finding, apart, canonical

NOT_RUN = "the command itself is not run: the job of that name is, which you write and register"
CRON_TZ = "CRON_TZ is cronie's: Debian's cron does not know it and took the zone of the machine"
TZ = "TZ is not the zone of the times: it is set for the commands only (crontab(5), Limitations)"

LONGEST = 4096
"""Characters of a line; Debian's cron takes commands of 998."""

_SETTING = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z_][A-Za-z0-9_]*))\s*=\s*(.*)""")
_TIME_FIELD = re.compile(r"[*?]|[0-9*][0-9,*/-]*")
_MAILED = re.compile(r"[\w.+-]+@[\w.-]+|[\w.-]+")


def read(text: str, *, zone: str | None = None, is_system: bool = False) -> list[Finding]:
    """Return the schedules of a crontab; with `is_system`, of one whose lines name a user after the times.

    A line becomes a job by the name of its script: see `command.command_in`. `zone` is the machine's, if it is known.
    """
    settings: dict[str, str] = {}
    findings: list[Finding] = []
    # Only at line breaks: a form feed is part of a command.
    for number, line in enumerate(map(str.strip, text.split("\n")), start=1):
        if not line or line.startswith("#"):
            continue
        setting = _SETTING.fullmatch(line)
        if setting:
            settings[setting[1] or setting[2] or setting[3]] = setting[4].strip("\"' ")
            continue
        if len(findings) == MOST:
            raise SourceUnreadable(TOO_MANY)
        findings.append(_finding(number, line, settings, zone=zone, is_system=is_system))
    return apart(findings)


def _finding(number: int, line: str, settings: Mapping[str, str], *, zone: str | None, is_system: bool) -> Finding:
    if len(line) > LONGEST:
        return Finding(
            line=number, name=f"line-{number}", job="", problem=f"{len(line)} characters; no cron takes that"
        )
    times, rest = _parted(line)
    user, rest = rest.split(maxsplit=1) if is_system and len(rest.split()) > 1 else ("", rest)
    command = command_in(rest)
    unread = Finding(line=number, name=command.name or f"line-{number}", job=command.name)
    try:
        return _read(unread, times, command, settings, user=user, zone=zone)
    except (NoEqual, BadSchedule) as error:
        return replace(unread, problem=str(error))


def _read(
    unread: Finding, times: str, command: Command, settings: Mapping[str, str], *, user: str, zone: str | None
) -> Finding:
    if times.lower() == "@reboot":
        raise NoEqual("@reboot: Rota has times, and no start of the machine; call the job where your service starts")
    first = command.text.split()[0] if command.text else ""
    if _TIME_FIELD.fullmatch(first):
        raise NoEqual(f"cron has five fields, and here a sixth stands in the place of the command: {first[:20]}")
    if not command.name:
        raise NoEqual("no script stands after the times")
    if not user and first == "root":
        raise NoEqual("the command begins with a user's name: for a system crontab say --system")
    named = settings.get("CRON_TZ")
    if named is not None and not is_zone(named):
        raise NoEqual(f"CRON_TZ={named[:40]} is no time zone")
    timing = canonical(times.removeprefix("-"), zone=named or zone)
    differences = [NOT_RUN, *_of_command(command, user), *_of_settings(settings), LOST, OVERLAPS]
    if named is None and zone is None:
        differences.append(LOCAL)
    return replace(unread, timing=timing, zone=named or zone, differences=tuple(differences))


def _parted(line: str) -> tuple[str, str]:
    """Return the times and what stands after them."""
    count = 1 if line.startswith("@") else 5
    words = line.split(maxsplit=count)
    return " ".join(words[:count]), words[count] if len(words) > count else ""


def _of_command(command: Command, user: str) -> list[str]:
    differences = []
    if command.rest:
        differences.append(f"not passed on: {_told(command.rest)}")
    if command.stdin:
        differences.append("what stands after % was the standard input of the command; a job has none")
    if user:
        differences.append(f"it ran as the user {user}; a job runs as the user of the worker")
    return differences


def _told(words: tuple[str, ...]) -> str:
    # Options by name, and nothing of what they are set to: a crontab is where passwords are found.
    names = [re.match(r"--[\w-]+|-\w|", word)[0] for word in words]  # type: ignore[index]  # the empty text matches
    options, others = [name for name in names if name], names.count("")
    counted = [f"{others} word{'s' if others > 1 else ''}"] if others else []
    return ", ".join([*dict.fromkeys(options), *counted])


def _of_settings(settings: Mapping[str, str]) -> list[str]:
    differences = []
    if settings.get("MAILTO"):
        to = settings["MAILTO"] if _MAILED.fullmatch(settings["MAILTO"]) else "several addresses"
        differences.append(f"its output was mailed to {to}; here it is kept: rota logs RUN")
    if "CRON_TZ" in settings:
        differences.append(CRON_TZ)
    if "TZ" in settings:
        differences.append(TZ)
    # Names only, for the same reason.
    if others := sorted(set(settings) - {"MAILTO", "MAILFROM", "CRON_TZ", "TZ"}):
        differences.append(f"set in the crontab, and not for the job: {', '.join(others)}")
    return differences
