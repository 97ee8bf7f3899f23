"""Crontabs: lines to schedules, and what of them is not the same here."""

import pytest

from rota.core.words import parse
from rota.errors import SourceUnreadable
from rota.importers import crontab
from rota.importers.command import command_in
from rota.importers.found import LOCAL, MOST, Finding, apart


def one(text, **more):
    [found] = crontab.read(text, **more)
    return found


@pytest.mark.parametrize(
    ("line", "timing"),
    [
        ("*/15 * * * * sync", "*/15 * * * *"),
        ("  30\t2 * * 1-5   sync", "30 2 * * 1-5"),
        ("0 4 1,15 * mon sync", "0 4 1,15 * MON"),
        ("5/10 * * * * sync", "5/10 * * * *"),
        ("@daily sync", "0 0 * * *"),
        ("@WEEKLY sync", "0 0 * * 0"),
        ("-*/5 * * * * sync", "*/5 * * * *"),
    ],
)
def test_the_times_of_a_line_are_debian_s(line, timing):  # R2
    found = one(line)

    assert (found.timing, found.problem) == (timing, None)
    assert str(parse(found.timing)) == found.timing


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("@reboot sync", "no start of the machine"),
        ("@fortnightly sync", "unknown; use one of"),
        ("61 * * * * sync", "cannot read '61'"),
        ("0 0 30 2 * sync", "never matches"),
        ("0 0 2 * * * sync", "cron has five fields"),
        ("0 2 * * * root sync", "say --system"),
        ("0~9 * * * * sync", "cannot read '0~9'"),
        ("* * * *", "no script"),
        ("0 2 * * *", "no script"),
        ("nonsense", "no script"),
        ("0 2 * * * " + "x" * 5000, "no cron takes that"),
        ("CRON_TZ=Mars/Base\n0 2 * * * sync", "CRON_TZ=Mars/Base is no time zone"),
    ],
)
def test_a_line_without_an_equal_is_a_problem_with_its_reason(line, problem):  # R64
    found = one(line)

    assert problem in found.problem
    assert found.timing == ""


def test_comments_settings_and_empty_lines_are_no_schedules():
    text = "# m h dom mon dow command\n\n   # another\nPATH=/bin\nMAILTO = \"\"\n'A B'=c\r\n0 2 * * * sync\r\n"

    found = one(text)

    assert (found.line, found.job) == (7, "sync")


def test_settings_hold_for_the_lines_below_them():
    first, second = crontab.read("0 1 * * * a\nCRON_TZ=Europe/Paris\n0 2 * * * b")

    assert (first.timing, first.zone) == ("0 1 * * *", None)
    assert LOCAL in first.differences
    assert (second.timing, second.zone) == ("0 2 * * * Europe/Paris", "Europe/Paris")
    assert crontab.CRON_TZ in second.differences
    assert LOCAL not in second.differences


def test_tz_is_for_the_commands_and_not_for_the_times():
    found = one("TZ=Europe/Paris\n0 2 * * * sync")

    assert found.zone is None
    assert crontab.TZ in found.differences


def test_the_zone_of_the_machine_may_be_told():
    assert one("0 2 * * * sync", zone="Asia/Tokyo").timing == "0 2 * * * Asia/Tokyo"


def test_what_a_job_is_not_given_is_said_without_its_secrets():  # R65
    text = "PGPASSWORD=hunter2\nMAILTO=ops@example.com\n0 2 * * * sync --pw=hunter2 -phunter2 hunter2%hunter2"

    found = one(text)

    said = "\n".join(found.differences)
    assert "not passed on: --pw, -p, 1 word" in said
    assert "mailed to ops@example.com" in said
    assert "not for the job: PGPASSWORD" in said
    assert "standard input" in said
    assert "hunter2" not in said


def test_a_system_crontab_names_the_user():
    found = one("17 * * * * root cd / && run-parts --report /etc/cron.hourly", is_system=True)

    assert found.job == "run_parts"
    assert any("as the user root" in text for text in found.differences)


def test_the_same_script_at_two_times_makes_two_schedules_of_one_job():
    found = crontab.read("0 1 * * * sync\n0 2 * * * sync-2\n0 3 * * * /bin/sync.sh")

    assert [one.name for one in found] == ["sync", "sync_2", "sync-2"]
    assert [one.job for one in found] == ["sync", "sync_2", "sync"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/usr/local/bin/nightly-report.sh", "nightly_report"),
        ("cd /app && ./manage.py clearsessions", "clearsessions"),
        ("cd /app; venv/bin/python3.11 manage.py send_mails --all 2>&1 | logger", "send_mails"),
        ("python3 -m acme.jobs.sync full", "sync"),
        ("python -W ignore sync.py", "sync"),
        ("flock -n /tmp/lock timeout 10m nice -n 5 /opt/backup.py", "backup"),
        ("A=1 env B=2 sudo -u www-data php /srv/cron.php", "cron"),
        ("sh -c '/opt/run.sh a'", "run"),
        ("uv run sync.py", "sync"),
        ("backup > /tmp/log", "backup"),
        ("date +\\%F", "date"),
        ("python -c 'import sync'", ""),
        ("/opt/x.sh 'open", "x"),
        ("", ""),
    ],
)
def test_a_command_line_names_its_job(line, name):
    assert command_in(line).name == name


def test_a_file_of_a_million_lines_is_refused():  # R64
    with pytest.raises(SourceUnreadable, match="more than 10,000"):
        crontab.read("* * * * * x\n" * (MOST + 1))


def test_a_name_that_stands_in_the_file_is_not_given_to_another():
    def finding(name, **more):
        return Finding(line=1, name=name, job=name, **more)

    found = apart(
        [finding("a"), finding("a"), finding("a-2"), finding("b", left_out="off"), finding("b"), finding("a")]
    )

    assert [one.name for one in found] == ["a", "a-3", "a-2", "b", "b", "a-4"]
