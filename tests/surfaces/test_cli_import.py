"""`rota import`: shows what it would create, asks, and creates all of it or nothing."""

import json

import pytest

from rota.app import Rota
from rota.core.model import Tenant
from rota.core.policy import CatchUpMode
from rota.errors import StoreUnavailable
from rota.exits import Exit
from rota.operations.importing import FORMATS, PER_TENANT
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.surfaces.conftest import HOSTILE, data, error, run
from tests.values import NOON

CRONTAB = """MAILTO=ops@example.com
*/15 * * * *  cd /app && ./manage.py clearsessions
30 2 * * 1-5  /app/bin/nightly-report.sh --days 3
30 4 * * *    /app/bin/nightly-report.sh
"""


def an_app(store=None):
    clock = FakeClock(NOON)
    app = Rota(store or MemoryStore(clock=clock), tenants=[Tenant(id="acme"), Tenant(id="globex")], clock=clock)

    @app.job()
    def clearsessions() -> None: ...

    @app.job(per_tenant=True)
    def nightly_report(days: int = 1) -> None: ...

    @app.job(schedule="every hour")
    def hourly() -> None: ...

    return app


@pytest.fixture
def app():
    return an_app()


@pytest.fixture
def imports(app, tmp_path):
    def imports(system, text, *args, on=app, **more):
        file = tmp_path / "file"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return run(on, "import", system, str(file), *args, directory=tmp_path, **more)

    return imports


def names(app):
    return [schedule.name for schedule in app.schedules.list()]


def test_a_crontab_becomes_schedules(app, imports):  # R5
    result = imports("crontab", CRONTAB, "--yes", "--tz", "Europe/Paris")

    assert result.exit_code == Exit.OK, result.output
    assert "3 created, 0 replaced, 0 not." in result.stderr
    assert {one.name: one.timing for one in app.schedules.list()} == {
        "clearsessions": "*/15 * * * * Europe/Paris",
        "nightly_report": "30 2 * * 1-5 Europe/Paris",
        "nightly_report-2": "30 4 * * * Europe/Paris",
    }


def test_it_shows_the_table_then_each_difference_once(imports):
    result = imports("crontab", CRONTAB, "--dry-run")

    lines = result.stdout.splitlines()
    assert lines[0].split() == ["LINE", "ACTION", "SCHEDULE", "JOB", "WHEN", "DIFFERS"]
    assert lines[2].split() == [
        "3",
        "create",
        "nightly_report",
        "nightly_report",
        *["every", "weekday", "at", "02:30", "UTC", "1,2"],
    ]
    assert "What differs, of all of them:" in lines
    assert "   1  not passed on: --days, 1 word" in lines
    assert f"   2  {PER_TENANT}" in lines
    assert len(lines) == len(set(lines)) + lines.count("") - 1


def test_a_dry_run_writes_nothing(app, imports):
    result = imports("crontab", CRONTAB, "--dry-run")

    assert result.exit_code == Exit.OK
    assert names(app) == []


def test_without_a_terminal_it_takes_a_yes(app, imports):
    result = imports("crontab", CRONTAB)

    assert result.exit_code == Exit.USAGE
    assert "Create 3 schedules? There is no terminal to ask at: say --yes" in result.stderr
    assert names(app) == []


@pytest.mark.parametrize(
    "more", ["@reboot /x.sh\n", "0 1 * * * /unknown.sh\n", "61 * * * * ./manage.py clearsessions\n"]
)
def test_a_list_with_one_bad_line_creates_nothing(app, imports, more):  # R64
    result = imports("crontab", CRONTAB + more, "--yes")

    assert result.exit_code == Exit.REFUSED
    assert "1 of 4 schedules cannot be created, so none was" in result.stderr
    assert "Cannot be created:\n  line 5" in result.stdout
    assert names(app) == []


def test_what_is_known_is_created_where_the_rest_may_be_skipped(app, imports):
    result = imports("crontab", CRONTAB + "@reboot /x.sh\n", "--yes", "--skip-unknown")

    assert result.exit_code == Exit.OK
    assert "3 created, 0 replaced, 1 not." in result.stderr
    assert len(names(app)) == 3


def test_a_job_that_is_not_registered_is_a_problem_with_close_names(imports):  # R64
    result = imports("crontab", "0 1 * * * /app/nightly-reports.sh\n", "--dry-run")

    assert result.exit_code == Exit.REFUSED
    assert "no job 'nightly_reports'; did you mean 'nightly_report'?" in result.stdout
    assert "--job nightly_reports=NAME" in result.stdout


def test_a_name_in_the_file_may_stand_for_another_job(app, imports):
    result = imports("crontab", "0 1 * * * /app/x.sh\n", "--job", "x=clearsessions", "--prefix", "old-", "--yes")

    assert result.exit_code == Exit.OK, result.output
    [created] = app.schedules.list()
    assert (created.name, created.job) == ("old-x", "clearsessions")


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["--job", "x"], Exit.USAGE, "write OLD=NEW"),
        (["--job", "clearsession=hourly"], Exit.USAGE, "it names clearsessions"),
        (["--job", "clearsessions=hourl"], Exit.NOT_FOUND, "did you mean 'hourly'?"),
        (["--tz", "Mars/Base"], Exit.USAGE, "'Mars/Base' is no time zone"),
        (["--prefix", "a" * 250], Exit.REFUSED, "3 of 3"),
    ],
)
def test_a_flag_that_is_wrong_is_named(app, imports, args, code, text):  # R63
    result = imports("crontab", CRONTAB, *args, "--yes")

    assert result.exit_code == code
    assert text in result.stderr
    assert names(app) == []


def test_a_name_that_is_taken_is_a_problem_unless_it_is_to_be_replaced(app, imports):
    app.schedules.put("clearsessions", job="clearsessions", when="every day")

    refused = imports("crontab", CRONTAB, "--yes")
    replaced = imports("crontab", CRONTAB, "--yes", "--replace")

    assert refused.exit_code == Exit.REFUSED
    assert "exists already" in refused.stdout
    assert replaced.exit_code == Exit.OK
    assert "2 created, 1 replaced" in replaced.stderr
    assert app.schedules.get("clearsessions").timing == "*/15 * * * * UTC"


def test_a_name_of_the_code_is_taken_before_the_first_start(imports):  # R6
    result = imports("crontab", "0 1 * * * hourly\n0 2 * * * hourly\n", "--dry-run")

    assert "line 1  hourly: a schedule of this name exists already" in result.stdout


def test_the_schedule_of_another_job_of_the_code_is_never_replaced(app, imports):
    result = imports("crontab", "0 1 * * * hourly\n", "--job", "hourly=clearsessions", "--replace", "--yes")

    assert result.exit_code == Exit.REFUSED
    assert "the code declares the schedule of job 'hourly' under this name" in result.stdout


CELERY = 'beat_schedule = {{"a": {{"task": "t.nightly_report", "schedule": 60, {more}}}}}'


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("'args': [1, 2]", "too many positional arguments"),
        ("'kwargs': {'dayz': 1}", "dayz"),
        ("'kwargs': {'days': 'x'}", "days"),
        ("'options': {'headers': {'_schema_name': 'acne'}}", "no tenant 'acne'"),
    ],
)
def test_arguments_and_tenants_are_checked_before_anything_is_written(app, imports, more, problem):  # R31
    result = imports("celery-beat", CELERY.format(more=more), "--yes")

    assert result.exit_code == Exit.REFUSED
    assert problem in result.stdout
    assert names(app) == []


def test_an_entry_of_a_tenant_is_for_that_tenant(app, imports):
    imports("celery-beat", CELERY.format(more="'options': {'headers': {'_schema_name': 'acme'}}"), "--yes")

    assert app.schedules.get("a").tenants == ("acme",)


def test_a_run_for_each_tenant_is_a_difference(imports):
    result = imports("crontab", CRONTAB, "--dry-run", "--json")

    differences = [line["differences"] for line in data(result)["lines"]]
    assert [PER_TENANT in texts for texts in differences] == [False, True, True]


def test_a_tenant_of_a_job_that_has_none_is_a_problem(imports):
    text = CELERY.format(more="'options': {'headers': {'_schema_name': 'acme'}}").replace("nightly_report", "hourly")

    assert "is not per_tenant" in imports("celery-beat", text, "--dry-run").stdout


def test_a_time_that_has_passed_is_a_problem(imports):
    text = "s.add_job(hourly, 'date', run_date='2020-01-01 09:00:00')"

    assert "its time has passed" in imports("apscheduler", text, "--dry-run").stdout


def test_what_was_disabled_is_left_out_and_no_problem(app, imports):
    text = "s.add_job(hourly, 'cron', hour=3, next_run_time=None)"

    result = imports("apscheduler", text, "--yes")

    assert result.exit_code == Exit.OK
    assert "Left out:" in result.stdout
    assert "There is nothing to create." in result.stderr


def test_policies_come_along(app, imports):
    imports("crontabber", '[{"cmd": "clearsessions", "time": "03:00", "backfill": true}]', "--yes")

    created = app.schedules.get("clearsessions")
    assert (created.timing, created.catch_up.mode) == ("daily at 03:00 UTC", CatchUpMode.ALL)


def test_json_is_one_document_of_every_line(imports):  # R63
    result = imports("crontab", CRONTAB, "--yes", "--json")

    found = data(result)
    assert (found["created"], found["problems"], found["dry_run"]) == (3, 0, False)
    assert found["lines"][0]["timing"] == "*/15 * * * * UTC"
    assert found["lines"][0]["next_at"] == "2026-06-01T12:15:00Z"
    assert result.stderr == ""


def test_a_refused_list_is_a_document_and_an_error(imports):  # R63
    result = imports("crontab", CRONTAB + "@reboot /x.sh\n", "--yes", "--json")

    assert data(result)["lines"][3]["reason"].startswith("@reboot")
    assert error(result)["code"] == "import_refused"
    assert error(result)["exit"] == Exit.REFUSED


@pytest.mark.parametrize("form", ["csv", "plain", "ndjson"])
def test_each_form_has_every_line(imports, form):
    result = imports("crontab", CRONTAB + "@reboot /x.sh\n", "--dry-run", "-o", form)

    assert "@reboot" in result.stdout
    assert "clearsessions" in result.stdout
    if form == "ndjson":
        json.loads(result.stdout)


@pytest.mark.parametrize("system", list(map(str, FORMATS)))
def test_a_file_without_schedules_is_not_found(imports, system):  # R63
    result = imports(system, "# nothing\n", "--yes")

    assert result.exit_code == Exit.NOT_FOUND
    assert f"no schedules of {system} in this file; looked for" in result.stderr


@pytest.mark.parametrize(
    ("system", "text", "reason"),
    [
        ("crontab", b"\xff\xfe0\x00", "is not UTF-8"),
        ("crontab", b"x" * (5 * 1024 * 1024 + 1), "more than 5 MB"),
        ("crontab", b"\0", "a NUL in line 1"),
        ("huey", b"def (", "line 1 is no Python"),
        ("celery-beat", b"[" * 100_000, "too deep"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(imports, system, text, reason):  # R64
    result = imports(system, text, "--yes")

    assert result.exit_code == Exit.USAGE
    assert reason in result.stderr
    assert "file: " in result.stderr


def test_a_file_that_is_not_there_is_a_wrong_line(app, tmp_path):
    result = run(app, "import", "crontab", str(tmp_path / "nothing"))

    assert result.exit_code == Exit.USAGE
    assert "No such file" in result.stderr


def test_a_user_in_each_line_goes_with_crontabs(imports):
    text = "17 * * * * root ./manage.py clearsessions\n"

    assert imports("crontab", text, "--system", "--dry-run").exit_code == Exit.OK
    assert imports("crontab", text, "--dry-run").exit_code == Exit.REFUSED
    assert imports("huey", text, "--system").exit_code == Exit.USAGE


def test_standard_input_is_a_file(app):
    result = run(app, "import", "crontab", "-", "--yes", input=CRONTAB)

    assert result.exit_code == Exit.OK, result.output
    assert len(names(app)) == 3


def test_what_a_file_says_is_harmless_when_it_is_shown(imports):  # R65
    hostile = f"{HOSTILE} mysql://ops:hunter2@db1"
    text = CELERY.format(more="").replace('"a"', json.dumps(hostile)).replace("60", "solar(1)")

    result = imports("celery-beat", text, "--dry-run")

    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert "hunter2" not in result.output


def test_a_store_that_goes_away_says_how_far_it_came(tmp_path):
    class Leaving(MemoryStore):
        def put_schedule(self, schedule, *args, **more):
            if schedule.name == "nightly_report":
                raise StoreUnavailable("no answer from the store")
            return super().put_schedule(schedule, *args, **more)

    app = an_app(Leaving(clock=FakeClock(NOON)))

    result = run(app, "import", "crontab", "-", "--yes", input=CRONTAB)

    assert result.exit_code == Exit.UNREACHABLE
    assert "1 of 3 schedules were created before" in result.stderr
