"""System checks: what is wrong with a project's settings, jobs and commands, each with an id and a way out."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.conf import settings as django_settings
from django.core import checks
from django.core.management import get_commands, load_command_class
from django.db import connections
from django.urls import NoReverseMatch, reverse

from rota.errors import ConfigurationError, RotaError, StoreUnavailable, close_names
from rota.integrations.django import configuration, discovery, door, rota
from rota.integrations.django.configuration import Configuration
from rota.integrations.django.databases import MEMORY, store_url
from rota.integrations.django.entries import Entry, Flaw, Mistake, read
from rota.integrations.django.tables import is_own
from rota.integrations.django.tenants import DatabaseAliases
from rota.place import named_object

IDS = {Mistake.FORM: "rota.E004", Mistake.TIMING: "rota.E006", Mistake.DUPLICATE: "rota.E007"}


def register(take: Callable[..., Any]) -> None:
    """Hand the checks to Django."""
    take(check_settings)
    take(check_commands)
    take(check_tasks)
    take(check_door, checks.Tags.urls)
    take(check_tables, checks.Tags.database)


def check_settings(**_: object) -> list[checks.CheckMessage]:
    """Check `ROTA`, the store's database, and the jobs of the apps."""
    try:
        said = configuration.read()
    except ConfigurationError as error:
        return [checks.Error(str(error), hint="See the keys in Rota's reference of settings.", id="rota.E001")]
    found: list[checks.CheckMessage] = []
    if discovery.problem is not None:
        hint = "What stands there is taken in once it can be; until then no process of this project works."
        found.append(checks.Error(str(discovery.problem), hint=hint, id="rota.E002"))
    if is_own(said):
        found += _store(said)
    return [*found, *_tenants(said)]


def _tenants(said: Configuration) -> Iterator[checks.CheckMessage]:
    try:
        source = named_object(said.settings.tenants.source) if said.settings.tenants.source else None
    except ConfigurationError as error:
        hint = "It is module:attribute of a source, and is imported before models can be."
        yield checks.Error(f"tenants.source: {error}", hint=hint, id="rota.E012")
        return
    if isinstance(source, DatabaseAliases) and (missing := source.missing()):
        yield checks.Error(
            f"{said.settings.tenants.source} names the tenants {', '.join(missing)}, which are not in DATABASES",
            hint=f"There are: {', '.join(connections)}.",
            id="rota.E011",
        )


def _store(said: Configuration) -> Iterator[checks.CheckMessage]:
    alias = said.database
    try:
        url = store_url(alias)
    except ConfigurationError as error:
        hint = 'Name the store: ROTA = {"store": {"url": ...}}, or a database that can be one: {"database": ALIAS}.'
        yield checks.Error(str(error), hint=hint, id="rota.E003")
        return
    options = connections[alias].settings_dict.get("OPTIONS", {})
    if url.startswith("sqlite:") and options.get("transaction_mode") != "IMMEDIATE":
        yield checks.Warning(
            f"database {alias!r} is SQLite and begins its transactions as readers: an enqueue in one that has read "
            'may fail with "database is locked"',
            hint=f'DATABASES[{alias!r}]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE"}}',
            id="rota.W001",
        )
    # While a project is tested its database is in memory, and so is what should be.
    if url == MEMORY and not django_settings.DEBUG and not _is_called("test"):
        yield checks.Warning(
            f"database {alias!r} is in memory, and so are Rota's runs: they end with this process",
            hint='Name a store: ROTA = {"store": {"url": "sqlite:///rota.db"}}.',
            id="rota.W002",
        )


def _is_called(command: str) -> bool:
    """Whether this process is `manage.py` with this command."""
    return sys.argv[1:2] == [command]


def check_commands(**_: object) -> list[checks.CheckMessage]:
    """Check the list of commands in `ROTA["cron"]`."""
    try:
        said = configuration.read()
    except ConfigurationError:
        # Said above.
        return []
    return list(_commands(said.cron))


def _commands(items: Sequence[object]) -> Iterator[checks.CheckMessage]:
    known = get_commands()
    for found in read(items):
        if isinstance(found, Flaw):
            yield checks.Error(f'ROTA["cron"], {found.text}', hint=found.hint, id=IDS[found.kind])
        elif found.cmd not in known:
            close = close_names(found.cmd, known)
            hint = f"Did you mean {close[0]!r}?" if close else "See manage.py help for the commands there are."
            text = f'ROTA["cron"], {found.cmd!r}: there is no such command'
            yield checks.Error(text, hint=hint, id="rota.E005")
        else:
            yield from _options(found, known[found.cmd])


def _options(entry: Entry, app: Any) -> Iterator[checks.CheckMessage]:
    command = load_command_class(app, entry.cmd) if isinstance(app, str) else app
    taken = {action.dest for action in command.create_parser("manage.py", entry.cmd)._actions}
    for key, option in (("backfill", "run_time"), ("last_success", "last_success")):
        if getattr(entry, key) and option not in taken:
            yield checks.Error(
                f'ROTA["cron"], {entry.cmd!r}: {key} is asked for, and the command has no --{option.replace("_", "-")}',
                hint=f'In its add_arguments: parser.add_argument("--{option.replace("_", "-")}"). It gets an ISO text.',
                id="rota.E008",
            )


def check_tasks(**_: object) -> list[checks.CheckMessage]:
    """Check the OPTIONS of backends in TASKS: Django has no opinion on those, and nobody would miss what they name."""
    if discovery.problem is not None:
        # Said above, and the tasks may not be there for it.
        return []
    return [found for alias in discovery.own_backends() for found in _task_options(alias)]


def _task_options(alias: str) -> Iterator[checks.CheckMessage]:
    # Weight by choice: whoever names the backend has what it stands on.
    from rota.integrations.django.task_framework import task_backends
    from rota.integrations.django.tasks import OPTIONS, SCHEDULES, TasksBackend

    backend = task_backends[alias]
    assert isinstance(backend, TasksBackend), "discovery has looked"
    for name in backend.options:
        if name not in OPTIONS:
            text = f"TASKS[{alias!r}], OPTIONS: nothing reads {name!r}"
            yield checks.Error(text, hint=f"There are: {', '.join(OPTIONS)}.", id="rota.E014")
    tasks = backend.paths()
    for path in backend.options.get(SCHEDULES, {}):
        if path not in tasks:
            close = close_names(path, tasks)
            hint = f"Did you mean {close[0]!r}?" if close else "Tasks are looked for in the module `tasks` of each app."
            text = f"TASKS[{alias!r}], {SCHEDULES}: there is no task {path!r}"
            yield checks.Error(text, hint=hint, id="rota.E014")


def check_door(**_: object) -> list[checks.CheckMessage]:
    """Check that somebody can be told from nobody, where the project's addresses have those of Rota's API."""
    if not hasattr(django_settings, "ROOT_URLCONF"):
        # One that only has commands.
        return []
    try:
        reverse("rota:door", args=[""])
        door.door()
    except NoReverseMatch:
        return []
    except RotaError as error:
        hint = "Rota's page on who may do what: auth.secret, or resolve_user in ROTA for the users of the project."
        return [checks.Error(str(error), hint=hint, id="rota.E013")]
    return []


def check_tables(*, databases: Sequence[str] | None = None, **_: object) -> list[checks.CheckMessage]:
    """Check the tables of the store, where its database is among those asked for."""
    try:
        said = configuration.read()
    except ConfigurationError:
        # Said above.
        return []
    if discovery.problem is not None or said.database not in (databases or ()) or not is_own(said):
        return []
    if _is_called("migrate"):
        # Which makes them in a moment, and asks the checks of its database before.
        return []
    store = rota.open_store()
    try:
        store.check()
    except RotaError as error:
        # No error: `migrate` would not begin. One that is away is no matter of tables.
        is_there = not isinstance(error, StoreUnavailable)
        hint = "manage.py migrate makes and changes Rota's tables too." if is_there else None
        return [checks.Warning(str(error), hint=hint, id="rota.W003")]
    finally:
        store.close()
    return []
