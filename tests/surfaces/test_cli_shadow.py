"""`rota schedules shadow` and `compare`, and `rota import --as shadow`."""

import pytest

from rota import Rota
from rota.core.model import ScheduleState
from rota.errors import StoreUnavailable
from rota.exits import Exit
from tests.surfaces.conftest import data, run
from tests.surfaces.test_cli_import import CRONTAB, an_app
from tests.values import HOUR, MINUTE


@pytest.fixture
def app():
    app = an_app()
    app.schedules.sync()
    return app


@pytest.fixture
def rota(app, tmp_path):
    return lambda *args: run(app, *args, directory=tmp_path)


def passed(app: Rota, **fields: int) -> None:
    """Let hours go by, each with its pass."""
    for _ in range(fields["hours"]):
        app.clock.tick(HOUR)
        app.passes.run(limit=MINUTE)


def test_a_schedule_is_put_into_the_shadow_and_out_of_it(app, rota):
    begun = rota("schedules", "shadow", "hourly", "--reason", "cron still does it")
    listed = rota("schedules", "shadow")
    why = rota("explain", "hourly")
    ended = rota("schedules", "shadow", "hourly", "--end")

    assert "rota schedules shadow hourly --end" in begun.stdout
    assert "cron still does it" in listed.stdout and "1 in the shadow" in listed.stderr
    assert "fires and starts nothing" in why.stdout and "--end" in why.stdout
    assert ended.exit_code == Exit.OK
    assert "every schedule works by itself" in rota("schedules", "shadow").stderr


def test_the_two_systems_are_compared(app, rota):
    rota("schedules", "shadow", "hourly", "--reason", "cron still does it")
    passed(app, hours=1)
    assert rota("ping", "hourly").exit_code == Exit.OK
    app.clock.tick(16 * MINUTE)

    same = rota("schedules", "compare", "hourly")
    passed(app, hours=2)
    differ = rota("schedules", "compare", "hourly")
    rows = data(rota("schedules", "compare", "hourly", "--all", "--json"))

    assert (same.exit_code, "1 time: 1 both" in same.stderr) == (Exit.OK, True)
    assert (differ.exit_code, "only here" in differ.stdout) == (Exit.FAILED, True)
    assert [row["verdict"] for row in rows] == ["both", "only here", "only here"]


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["shadow", "hourly"], Exit.USAGE, "--reason is needed"),
        (["shadow", "hourly", "--end"], Exit.REFUSED, "in no shadow"),
        (["shadow", "hurly", "--reason", "cron"], Exit.NOT_FOUND, "hourly"),
        (["compare", "hurly"], Exit.NOT_FOUND, "hourly"),
        (["compare", "hourly", "--within", "soon"], Exit.USAGE, "--within"),
    ],
)
def test_what_makes_no_sense_is_refused(rota, args, code, text):  # R63
    result = rota("schedules", *args)

    assert result.exit_code == code
    assert text in result.stderr


@pytest.mark.parametrize(
    ("begins", "state", "in_shadow"),
    [
        ([], ScheduleState.PAUSED, False),
        (["--as", "shadow"], ScheduleState.ACTIVE, True),
        (["--as", "active"], ScheduleState.ACTIVE, False),
    ],
)
def test_what_is_imported_begins_as_it_is_asked_to(app, rota, tmp_path, begins, state, in_shadow):
    (tmp_path / "crontab").write_text(CRONTAB)
    result = rota("import", "crontab", str(tmp_path / "crontab"), "--yes", *begins)

    assert result.exit_code == Exit.OK
    schedule = app.schedules.get("clearsessions")
    assert (schedule.state, "clearsessions" in app.shadows.list()) == (state, in_shadow)


def test_an_import_that_dies_half_way_leaves_nothing_at_work(app, rota, tmp_path, monkeypatch):
    (tmp_path / "crontab").write_text(CRONTAB)

    def gone(*_args, **_fields):
        raise StoreUnavailable("gone")

    monkeypatch.setattr(app.schedules, "pause", gone)
    result = rota("import", "crontab", str(tmp_path / "crontab"), "--yes")

    assert result.exit_code == Exit.UNREACHABLE
    assert app.schedules.get("clearsessions").state is ScheduleState.ACTIVE
    assert "clearsessions" in app.shadows.list()
