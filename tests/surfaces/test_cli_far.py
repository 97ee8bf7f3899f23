"""Each command that reads says the same here and, with --url, of a server far away: same bytes, same exit code."""

import shlex
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from rota.app import Rota
from rota.core.model import ErrorReport, LogChunk, LogLine, Note, Outcome
from rota.operations.table import OPERATIONS
from rota.queries import RunQuery
from tests.clocks import FakeClock
from tests.surfaces.conftest import HOSTILE, an_app, run
from tests.values import HOUR, MINUTE, NOON, SECOND, a_round, a_run, add_rounds, claim, ended, settle_all, succeeded
from tests.web.far import InProcess, run_far

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
    return app


@pytest.fixture(scope="module")
def line(seeded: Rota) -> Iterator[InProcess]:
    line = InProcess(seeded)
    # Inside, all requests share one loop.
    with line.client:
        yield line


COMMANDS = [
    "jobs",
    "jobs show report",
    "jobs show reprot",
    "logs {failed}",
    "logs {failed} --level warn --times --tz Europe/Paris",
    "logs {failed} --tail 2",
    "logs {failed} -f --level ERROR",
    "logs {done}",
    "logs ffffffff",
    "rounds",
    "rounds --job report --state running --since 2d --limit 1",
    "rounds --schedule nobody --fail-empty",
    "rounds --since soonish",
    "runs",
    "runs --where 'state:failed since:2d' --tz Europe/Paris",
    "runs --where nonsense:x",
    "runs --tenant @silver",
    "runs --limit 2",
    "show {failed}",
    "show {done}",
    "show abababab",
    "show ffffffff",
]


@pytest.fixture(scope="module")
def named(seeded: Rota) -> dict[str, str]:
    by_state = {str(run.state): run.id for run in seeded.store.runs(RunQuery())}
    return {"failed": by_state["failed"], "done": by_state["succeeded"], "running": by_state["running"]}


@pytest.mark.parametrize("form", FORMS, ids=["table", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_far_away_is_read_as_what_is_here(seeded, line, named, monkeypatch, command, form):  # R63, R64
    monkeypatch.setattr("rota.cli.commands.logs.POLL", timedelta(0))
    args = [*shlex.split(command.format(**named)), *form]

    here, there = run(seeded, *args), run_far(seeded, line, *args)

    assert (there.stdout, there.stderr, there.exit_code) == (here.stdout, here.stderr, here.exit_code)
    assert here.exit_code != 70


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_answer_can_be_read_back_and_has_a_schema(operation):
    msgspec.json.Decoder(operation.answers)
    assert msgspec.json.schema(operation.answers)
