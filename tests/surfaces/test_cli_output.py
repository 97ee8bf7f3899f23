"""What commands print: results on standard output, in the form asked for, harmless; all else on standard error."""

import csv
import io
import json

import pytest

from rota.cli.output import Column, Form, Output
from rota.cli.progress import progress
from rota.cli.session import Session
from tests.clocks import FakeClock
from tests.surfaces.conftest import HOUR, data, run
from tests.values import NOON

READS = [
    ["jobs"],
    ["jobs", "show", "sync"],
    ["next"],
    ["explain", "every hour"],
    ["explain", "sync"],
    ["runs"],
    ["status"],
    ["slots", "sync"],
    ["tenants"],
    ["config", "show", "--origin"],
    ["config", "env"],
    ["config", "check"],
    ["backfill", "sync", "--since", "3h", "--until", "now", "--dry-run"],
    ["run", "report", "--dry-run"],
    ["doctor"],
]
NAMES = [" ".join(args) for args in READS]


@pytest.mark.parametrize("args", READS, ids=NAMES)
def test_json_is_one_document_with_its_schema(noon_rota, args):  # R63
    result = noon_rota(*args, "--json")

    document = json.loads(result.stdout)
    assert document["schema"].startswith("rota.")
    assert set(document) - {"page"} == {"schema", "data", "warnings"}


@pytest.mark.parametrize("args", READS, ids=NAMES)
@pytest.mark.parametrize("form", ["plain", "ndjson", "csv", "table"])
def test_every_form_is_written_without_colour_or_control_characters(noon_rota, args, form):  # R65
    result = noon_rota(*args, "-o", form)

    assert result.exit_code in (0, 1), result.output
    assert all(char.isprintable() or char in "\n\t" for char in result.stdout)
    if form == "ndjson":
        assert [json.loads(line) for line in result.stdout.splitlines()] or result.stdout == ""


@pytest.mark.parametrize(
    "args", [["--json", "jobs"], ["jobs", "--json"], ["jobs", "list", "-o", "json"], ["-ojson", "jobs"]]
)
def test_global_flags_stand_before_or_after_the_command(noon_rota, args):
    assert [row["name"] for row in data(noon_rota(*args))] == ["broken", "report", "sync"]


def test_the_list_of_jobs_says_what_each_does_and_when(noon_rota):  # R16
    result = noon_rota("jobs")

    assert result.stdout == (
        "STATE  JOB     SCHEDULE    LAST  LAST RUN  TOOK  NEXT                 TENANTS  DESCRIPTION\n"
        "new    broken\n"
        "new    report                                                         0 ok     Write the report of a tenant.\n"
        "new    sync    every hour                        2026-06-01 13:00:00  0 ok     Fetch the mail of a tenant.\n"
    )
    assert result.stderr == "3 jobs\n"


def test_a_schedule_is_explained_without_an_app_and_with_its_daylight_saving(tmp_path):
    result = run(
        None,
        "explain",
        "daily at 02:30",
        "--tz",
        "Europe/Paris",
        "--around",
        "2026-03-28",
        "-n",
        "2",
        directory=tmp_path,
    )

    assert result.stdout == (
        "daily at 02:30 Europe/Paris      cron: 30 2 * * *\n"
        "  Sat 28 Mar 2026 02:30:00 CET   2026-03-28 01:30 UTC\n"
        "  -- the clocks of Europe/Paris went forward 60 minutes, 02:00 became 03:00 --\n"
        "  Sun 29 Mar 2026 03:00:00 CEST   2026-03-29 01:00 UTC   "
        "02:30 does not exist: runs at the first minute after the gap\n"
    )


def test_csv_has_a_header_and_no_formula(noon_rota):
    rows = list(csv.DictReader(io.StringIO(noon_rota("tenants", "-o", "csv").stdout)))

    assert [(row["tenant"], row["tags"]) for row in rows] == [("acme", "gold"), ("globex", "gold"), ("hooli", "")]


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(capsys):
    out = Output(form=Form.CSV, verbosity=0, color="never")

    out.rows("rota.test/1", ["=cmd()", "@x", "-5"], [Column("WHY", lambda row: row)])

    assert capsys.readouterr().out == "why\n'=cmd()\n'@x\n-5\n"


def test_quiet_says_nothing_on_standard_error(noon_rota):
    assert noon_rota("jobs", "-q").stderr == ""


def test_what_a_tenant_wrote_is_shown_and_obeyed_by_no_terminal(rota):  # R65
    rota("run", "report", "--here")
    [failed] = data(rota("runs", "--state", "failed", "--json"))

    for args in (["runs"], ["show", failed["id"]], ["show", failed["round_id"]]):
        assert "\\x1b[31mred\\x07 \\u202egnp.exe \\x9b2J" in rota(*args).stdout
    drawn = rota("runs", "--color", "always").stdout
    assert "\x1b[1mSTATE" in drawn, "it is drawn with colours"
    assert "\x1b[31mred" not in drawn


def test_no_password_is_shown_in_any_form(rota):  # R65
    rota("run", "broken", "--here")
    [failed] = data(rota("runs", "--json"))

    for args in (["runs"], ["runs", "-o", "csv"], ["show", failed["id"]], ["show", failed["id"][:10]]):
        shown = rota(*args).stdout
        assert "hunter2" not in shown
        assert "mysql://ops:***@db1" in shown


def test_progress_without_a_terminal_writes_a_line_per_tenth_and_after_a_long_silence(capsys):  # R63
    clock = FakeClock(NOON)

    with progress(Session(), "sync", monotonic=clock.monotonic) as report:
        for done in range(101):
            report(done, 100, 0)
        clock.tick(HOUR)
        report(100, 100, 1)

    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == [*(f"{tenth * 10}/100" for tenth in range(11)), "100/100"]


def test_progress_says_how_fast_it_goes_and_how_long_it_will_take(capsys):
    clock = FakeClock(NOON)

    with progress(Session(), "sync", monotonic=clock.monotonic) as report:
        # What was over before says nothing of the speed.
        report(10, 100, 0)
        clock.tick(HOUR / 60)
        report(40, 100, 5)

    assert capsys.readouterr().err.splitlines() == [
        "sync  10/100  10 %  10 ok  0 failed  0.0/s",
        "sync  40/100  40 %  35 ok  5 failed  0.5/s  2m left",
    ]
