"""Each command that reads says the same here and, with --url, of a server far away: same bytes, same exit code."""

import shlex
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from rota.app import Rota
from rota.core.model import ErrorReport, LogChunk, LogLine, Note, Outcome
from rota.exits import Exit
from rota.operations.table import OPERATIONS
from rota.queries import ErrorQuery, RunQuery
from rota.settings import AuthSettings, Settings
from tests.clocks import FakeClock
from tests.surfaces.conftest import HOSTILE, an_app, data, run
from tests.values import (
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_member,
    a_round,
    a_run,
    a_worker,
    add_rounds,
    an_incident,
    claim,
    ended,
    settle_all,
    succeeded,
)  # fmt: skip
from tests.web.far import InProcess, SerialClock, run_far

FORMS = [(), ("--json",)]
AWAY = ErrorReport(
    type="OSError",
    message=f"mysql://ops:hunter2@db1 is away {HOSTILE}",
    place="app.mail.send, line 3",
    traceback="T\n  at x",
)


@pytest.fixture(scope="module")
def seeded() -> Rota:
    """Return an application at noon with some of everything. No test changes it."""
    app = an_app(clock=FakeClock(NOON))
    store = app.store
    app.schedules.sync()
    add_rounds(store, a_round(id="ab" * 16, job="report", schedule=None, slot=None, expanded=True, expected=3))
    for tenant in ("acme", "globex", "hooli"):
        fields = {"job": "report", "tenant": tenant, "round_id": "ab" * 16, "created_at": NOON - HOUR}
        store.enqueue([a_run(max_attempts=1, **fields)], now=NOON)
    done, bad, runs = claim(store, limit=3)
    lines = tuple(
        LogLine(at=NOON + SECOND * n, level=level, source="stdout", text=f"line {n} {HOSTILE}")
        for n, level in enumerate(("INFO", "WARNING", "ERROR"))
    )
    for number, left_out in ((0, 0), (1, 12)):
        chunk = LogChunk(run_id=bad.id, token=bad.token, number=number, lines=lines, left_out=left_out)
        store.note([Note(run_id=bad.id, token=bad.token, chunks=(chunk,))], now=NOON)
    store.note([Note(run_id=runs.id, token=runs.token, done=7, total=9)], now=NOON)
    settle_all(store, succeeded(done), ended(bad, Outcome.FAILED, error=AWAY, started_at=NOON - MINUTE, retry=False))
    store.register(a_worker(queues={"default": 0}, stamps={"scheduler": NOON}))
    assert store.alerts.write(an_incident(error="E: boom"), expected_version=None, members=[a_member("acme")])
    app.backfill("sync", since=NOON - 4 * HOUR, until=NOON, actor="cli:ana", reason="a test", canary="acme")
    app.schedules.put("often", job="sync", when="every 30 minutes", actor="cli:ana")
    app.schedules.pause("often", reason="too often", actor="cli:ana")
    app.pauses.pause("tenant", "hooli", reason="moves", actor="cli:ana")
    app.limits.set("job", "report", running=2, reason="slow", actor="cli:ana")
    return app


@pytest.fixture(scope="module")
def line(seeded: Rota) -> Iterator[InProcess]:
    line = InProcess(seeded)
    # Inside, all requests share one loop.
    with line.client:
        yield line


COMMANDS = [
    "alerts",
    "alerts --all --job report --limit 1",
    "alerts channels",
    "alerts deliveries --limit 5",
    "alerts show {incident}",
    "alerts show nothing",
    "audit",
    "audit --action pause. --since 1d --limit 1",
    "backfills",
    "backfills --active",
    "backfills show {backfill}",
    "backfills show nothing",
    "config show",
    "config show --all --origin",
    "doctor",
    "errors",
    "errors --job report --tenant @gold --since 2d --limit 1",
    "errors --cursor x",
    "errors show {fingerprint}",
    "errors show ffff",
    "explain sync",
    "explain sync --tenant acme --slot 2026-06-01T11:00Z",
    "explain {failed} --tz Europe/Paris",
    "explain {round}",
    "explain {backfill}",
    "explain synk",
    "explain 'every fullmoon'",
    "explain 'daily at 02:30' --around 2026-03-29 --tz Europe/Paris",
    "explain hourly --around 2026-03-29",
    "explain sync --slot soonish",
    "failures",
    "failures --by tenant --since 36h --where job:report",
    "failures --since soon",
    "jobs",
    "jobs show report",
    "jobs show reprot",
    "limits",
    "logs {failed}",
    "logs {failed} --level warn --times --tz Europe/Paris",
    "logs {failed} --tail 2",
    "logs {failed} -f --level ERROR",
    "logs {done}",
    "logs ffffffff",
    "metrics",
    "metrics --openmetrics",
    "next",
    "next --job sync --hours 3 --limit 2",
    "next --job synk",
    "pause",
    "queues",
    "queues show default",
    "queues show deflaut",
    "rounds",
    "rounds --job report --state running --since 2d --limit 1",
    "rounds --schedule nobody --fail-empty",
    "rounds --since soonish",
    "runs",
    "runs --where 'state:failed since:2d' --tz Europe/Paris",
    "runs --where nonsense:x",
    "runs --tenant @silver",
    "runs --limit 2",
    "schedules",
    "schedules --job sync --state paused",
    "schedules --limit 1",
    "schedules --after sync",
    "schedules show sync -n 2 --tz Europe/Paris",
    "schedules show synk",
    "show {failed}",
    "show {done}",
    "show abababab",
    "show ffffffff",
    "slots sync --since 6h",
    "slots sync --since 6h --tenant acme --missed",
    "slots synk",
    "slots report",
    "slots sync --tenant acmee",
    "stale",
    "stale --all --fail-on late",
    "stale --job report --tenant nobody",
    "stale --job reprot",
    "stats",
    "stats --by tenant --since 6h --job report --tenant @gold",
    "status",
    "status --fail-on warn",
    "tenants",
    "tenants show acme",
    "tenants show acmee",
    "tenants test",
    "tenants test acme,@gold",
    "tenants test acme @silver",
    "wait {done}",
    "wait {done} {failed}",
    "wait {done} ffffffff",
    "wait {running} --timeout 0s",
    "workers",
]


@pytest.fixture(scope="module")
def named(seeded: Rota) -> dict[str, str]:
    [error] = seeded.store.errors(ErrorQuery())
    [incident], [backfill] = seeded.incidents.list(), seeded.campaigns.list()
    by_state = {str(run.state): run.id for run in seeded.store.runs(RunQuery())}
    ids = {"incident": incident.id, "backfill": backfill.id, "round": "ab" * 16}
    return ids | {
        "fingerprint": error.fingerprint,
        "failed": by_state["failed"],
        "done": by_state["succeeded"],
        "running": by_state["running"],
    }


@pytest.mark.parametrize("form", FORMS, ids=["table", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_far_away_is_read_as_what_is_here(seeded, line, named, monkeypatch, command, form):  # R63, R64
    monkeypatch.setattr("rota.cli.commands.logs.POLL", timedelta(0))
    monkeypatch.setattr("rota.cli.session.POLL_FAR", timedelta(0))
    args = [*shlex.split(command.format(**named)), *form]

    here, there = run(seeded, *args), run_far(seeded, line, *args)

    assert (there.stdout, there.stderr, there.exit_code) == (here.stdout, here.stderr, here.exit_code)
    assert here.exit_code != Exit.BUG


@pytest.mark.parametrize("form", FORMS, ids=["table", "json"])
@pytest.mark.parametrize(
    ("limit", "least", "command"),
    [
        ("rota.cli.commands.schedules.PAGE", 1, "schedules"),
        ("rota.cli.commands.schedules.PAGE", 1, "schedules --limit 1"),
        ("rota.cli.commands.wait.MOST", 1, "wait {done} {failed}"),
        ("rota.operations.tenants.LONGEST", timedelta(seconds=-1), "tenants test"),
        ("rota.operations.tenants.LONGEST", timedelta(seconds=-1), "tenants test hooli,@gold"),
    ],
)
def test_what_is_asked_for_in_pieces_is_told_as_one(seeded, named, monkeypatch, limit, least, command, form):
    args = [*shlex.split(command.format(**named)), *form]
    whole = run(seeded, *args)
    monkeypatch.setattr(limit, least)

    in_pieces = run(seeded, *args)

    assert (in_pieces.stdout, in_pieces.exit_code) == (whole.stdout, whole.exit_code)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_answer_can_be_read_back_and_has_a_schema(operation):
    msgspec.json.Decoder(operation.answers)
    assert msgspec.json.schema(operation.answers)


@pytest.mark.parametrize("form", FORMS, ids=["table", "json"])
@pytest.mark.parametrize("command", ["dump", "dump start", "dump fail --text -", "damp"])
def test_a_script_on_another_machine_says_what_it_says_here(command, form):  # R51, R63
    apps = [an_app(clock=SerialClock()) for _ in range(2)]
    for app in apps:
        app.watch("dump", fresh_within="26h")
    args, said = ["ping", *command.split(), *form], f"disk full at mysql://ops:hunter2@db1 \0{HOSTILE}"

    here = run(apps[0], *args, input=said)
    there = run_far(apps[1], InProcess(apps[1]), *args, input=said)

    assert (there.stdout, there.stderr, there.exit_code) == (here.stdout, here.stderr, here.exit_code)
    assert apps[1].pings.history("dump") == apps[0].pings.history("dump")


def test_no_secret_of_the_settings_leaves_the_server():  # R65
    secret = "made-by-code-and-never-read-from-a-file"
    app = an_app(clock=FakeClock(NOON), settings=Settings(auth=AuthSettings(secret=secret)))

    shown = run_far(app, InProcess(app), "config", "show", "--all", "--json")

    assert {row["key"]: row["value"] for row in data(shown)}["auth.secret"] == "***"
    assert secret not in shown.stdout
