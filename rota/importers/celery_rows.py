"""Rows of django-celery-beat, as `manage.py dumpdata django_celery_beat` writes them.

Sources:
    django-celery-beat 2.8, "django_celery_beat.models": PeriodicTask with its interval, crontab, solar or clocked row.
"""

import json
from collections.abc import Mapping
from datetime import timedelta

from msgspec.structs import replace

from rota.core.zone import is_zone
from rota.errors import BadSchedule, NoEqual
from rota.importers.celery_times import FIELDS, crontab
from rota.importers.found import OVERLAPS, PERIOD, RAN_LATE, Finding, apart, canonical, period
from rota.importers.rows import rows

TENANT_HEADER = "_schema_name"
"""The header in which tenant-schemas-celery names the tenant."""
HOUSEKEEPING = "Celery's own housekeeping: Rota deletes what is old by itself"
DISABLED = "it is disabled there"

_KINDS = ("interval", "crontab", "solar", "clocked")
_PERIODS = ("days", "hours", "minutes", "seconds", "microseconds")

Row = Mapping[str, object]


def read(text: str, *, zone: str | None = None) -> list[Finding]:
    """Return the periodic tasks of a dump; `zone` is for crontab rows that name none.

    Raises:
        SourceUnreadable: it is no JSON list.
    """
    known: dict[tuple[str, object], Row] = {}
    periodic: list[tuple[int, Row]] = []
    for line, item in rows(text):
        if not isinstance(item, dict) or not isinstance(item.get("fields"), dict):
            continue
        model = str(item.get("model", "")).lower()
        if model == "django_celery_beat.periodictask":
            periodic.append((line, item["fields"]))
        elif model.startswith("django_celery_beat.") and isinstance(item.get("pk"), int | str):
            known[model.partition(".")[2].removesuffix("schedule"), item["pk"]] = item["fields"]
    return apart(_finding(line, row, known, zone or "UTC") for line, row in periodic)


def _finding(line: int, row: Row, known: Mapping[tuple[str, object], Row], zone: str) -> Finding:
    full = str(row.get("task", ""))
    unread = Finding(line=line, name=str(row.get("name") or full), job=full.rpartition(".")[2])
    if full == "celery.backend_cleanup":
        return replace(unread, left_out=HOUSEKEEPING)
    try:
        timing, zone_said, differences = _timing(row, known, zone)
        args, kwargs = _list(row, "args"), _object(row, "kwargs")
        tenant = _object(row, "headers").get(TENANT_HEADER)
    except (NoEqual, BadSchedule) as error:
        if row.get("enabled") is False:
            return replace(unread, left_out=DISABLED)
        return replace(unread, problem=str(error))
    return replace(
        unread,
        timing=timing,
        zone=zone_said,
        args=tuple(args),
        kwargs=kwargs,
        tenant=str(tenant) if tenant else None,
        left_out=DISABLED if row.get("enabled") is False else None,
        differences=(*differences, *_others(row, has_tenant=bool(tenant))),
    )


def _timing(row: Row, known: Mapping[tuple[str, object], Row], zone: str) -> tuple[str, str | None, list[str]]:
    named = [kind for kind in _KINDS if row.get(kind) is not None]
    if len(named) != 1:
        raise NoEqual(f"it names {' and '.join(named) or 'no schedule'}; it takes one of {', '.join(_KINDS)}")
    kind = named[0]
    key = row[kind]
    of = known.get((kind, key)) if isinstance(key, int | str) else None
    if of is None:
        raise NoEqual(f"its {kind} row {str(key)[:40]!r} is not in this file: dump all of django_celery_beat")
    match kind:
        case "solar":
            raise NoEqual("solar: Rota knows no sunrise; have a job look it up, and `Snooze` until then")
        case "clocked":
            return canonical(f"at {of.get('clocked_time')}"), "UTC", []
        case _ if row.get("one_off"):
            raise NoEqual("one_off: it runs once, at the next time of a schedule that repeats; write that time with at")
        case "interval":
            return period(_length(of)), None, [PERIOD, RAN_LATE, OVERLAPS]
        case _:
            named_zone = str(of.get("timezone") or zone)
            if not is_zone(named_zone):
                raise NoEqual(f"{named_zone[:60]!r} is no time zone")
            given = {name: str(of.get(name) or "*").replace(" ", "") for name in FIELDS}
            text, differences = crontab(given, named_zone)
            return text, named_zone, differences


def _length(row: Row) -> timedelta:
    unit, every = row.get("period"), row.get("every")
    if unit not in _PERIODS or not isinstance(every, int) or not 0 < every < 10**9:
        raise NoEqual(f"its interval is {str(every)[:20]} {str(unit)[:20]}, which is none")
    try:
        return timedelta(**{str(unit): every})
    except OverflowError as error:
        raise NoEqual(f"its interval is {every} {unit}, which is too long") from error


def _list(row: Row, name: str) -> list[object]:
    value = _json(row, name, "[]")
    if not isinstance(value, list):
        raise NoEqual(f"{name} is no JSON list")
    return value


def _object(row: Row, name: str) -> dict[str, object]:
    value = _json(row, name, "{}")
    if not isinstance(value, dict):
        raise NoEqual(f"{name} is no JSON object")
    return value


def _json(row: Row, name: str, empty: str) -> object:
    text = row.get(name) or empty
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError) as error:
        raise NoEqual(f"{name} is no JSON") from error


def _others(row: Row, *, has_tenant: bool) -> list[str]:
    differences = []
    for name in ("queue", "priority"):
        if row.get(name) not in (None, ""):
            differences.append(f"option {name} is the job's own setting here")
    for name in ("exchange", "routing_key", "expires", "expire_seconds"):
        if row.get(name) not in (None, ""):
            differences.append(f"option {name} is without an equal here")
    if row.get("start_time"):
        differences.append("start_time: it begins later there; here at once")
    if row.get("headers") not in (None, "", "{}") and not has_tenant:
        differences.append("option headers is without an equal here")
    return differences
