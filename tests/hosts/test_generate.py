"""`rota generate HOST`: what it finds out by itself, where it writes, what pages show of it."""

import sys

import pytest
from click.testing import CliRunner

from rota import Rota
from rota.cli.root import root
from rota.cli.session import Session
from rota.hosts import HOSTS
from scripts import host_pages
from tests.house.source import shown
from tests.surfaces.test_cli_exits import subprocess_of

APP = """
from rota import Rota
rota = Rota("sqlite:///rota.db")
@rota.job(timeout="45m")
def import_all() -> None: ...
"""


def generate(*words, directory=None, called="rota"):
    session = Session(app=Rota("memory://"), directory=directory)
    return CliRunner().invoke(root, ["generate", *words], obj=session, prog_name=called)


def test_the_application_of_the_folder_is_found_and_asked(tmp_path):
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "rota.toml").write_text('app = "shop:rota"\n[worker]\ndrain = "5m"\nkill_grace = "5s"\n')

    unit = subprocess_of("generate", "systemd", "rota.service", cwd=tmp_path)
    line = subprocess_of("generate", "cron", "--user", "shop", cwd=tmp_path)

    assert unit.stdout.startswith("# /etc/systemd/system/rota.service\n[Unit]\n"), unit.stderr
    assert "Environment=ROTA_APP=shop:rota\n" in unit.stdout
    assert f"WorkingDirectory={tmp_path}\n" in unit.stdout
    assert "TimeoutStopSec=315\n" in unit.stdout
    assert "User=root" not in unit.stdout
    assert line.stdout.startswith("* * * * * cd ")
    assert line.stdout.endswith("tick --max 45m\n")
    assert line.stderr == "next: crontab -e, as the user that is to run it\n"
    assert not (tmp_path / "rota.db").exists()


def test_without_an_application_the_settings_say_what_there_is(tmp_path):
    (tmp_path / "rota.toml").write_text("[worker]\nprocesses = 3\n")

    done = subprocess_of("generate", "procfile", cwd=tmp_path)

    assert done.stdout.endswith("worker: rota start --processes 3\n"), done.stderr
    assert "no application is found here" in done.stderr


def test_an_application_that_is_broken_is_said_and_nothing_written(tmp_path):
    (tmp_path / "app.py").write_text("import nonsense")

    done = subprocess_of("generate", "procfile", "--out", ".", cwd=tmp_path)

    assert (done.returncode, "app.py:1" in done.stderr) == (2, True)
    assert not (tmp_path / "Procfile").exists()


def test_rota_is_called_there_as_it_is_called_here(tmp_path):
    unit = generate("systemd", "rota.service", directory=tmp_path).stdout

    [line] = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert line.partition("=")[2].split()[0].rpartition("/")[0] == sys.executable.rpartition("/")[0]


@pytest.mark.parametrize(
    ("called", "schema"),
    [
        ("rota", "rota db upgrade"),
        ("flask rota", "flask rota db upgrade"),
        ("manage.py rota", "python manage.py migrate --noinput"),
    ],
)
def test_under_a_framework_rota_is_called_by_its_command(called, schema, tmp_path):
    release, _, worker = generate("procfile", directory=tmp_path, called=called).stdout.splitlines()

    assert release == f"release: {schema}"
    assert worker.endswith(f"{called} start --processes 1")


def test_an_application_of_a_framework_is_named_to_that(tmp_path):
    (tmp_path / "app.py").write_text(
        "from flask import Flask\nfrom rota.integrations.flask import FlaskRota\napp = Flask('shop')\nFlaskRota(app)\n"
    )

    words = ["generate", "systemd", "rota.service", "--app", "rota.integrations.flask.project:rota"]
    unit = subprocess_of(*words, cwd=tmp_path, FLASK_APP="app")

    assert "Environment=ROTA_APP=rota.integrations.flask.project:rota\nEnvironment=FLASK_APP=app\n" in unit.stdout


def test_several_files_are_told_apart_and_one_is_itself(tmp_path):
    both = generate("k8s", "rota.yaml", "rota-tick.yaml", "--name", "rota", directory=tmp_path).stdout
    one = generate("k8s", "rota-tick.yaml", directory=tmp_path).stdout

    assert [line for line in both.splitlines() if line.startswith("# ---")] == [
        "# --- rota.yaml",
        "# --- rota-tick.yaml",
    ]
    assert one.startswith("apiVersion: batch/v1\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("k8s", "shop.yaml"), "there are: rota.yaml, rota-serve.yaml, rota-tick.yaml"),
        (("eventbridge",), "say --url"),
        (("systemd", "--name", "Shop"), "--name 'Shop'"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_way_out(words, said, tmp_path):  # R64
    done = generate(*words, directory=tmp_path)

    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert done.stdout == ""


def test_files_are_written_into_a_folder_and_what_a_person_changed_is_not_replaced_unasked(tmp_path):
    written = generate("eb", "--out", str(tmp_path / "deploy"), directory=tmp_path)
    again = generate("eb", "--out", str(tmp_path / "deploy"), directory=tmp_path)
    procfile = tmp_path / "deploy" / "Procfile"
    procfile.write_text("web: mine\n")
    refused = generate("eb", "--out", str(tmp_path / "deploy"), directory=tmp_path)
    kept = procfile.read_text()
    replaced = generate("eb", "--out", str(tmp_path / "deploy"), "--yes", directory=tmp_path)

    assert written.stdout.splitlines() == [
        str(tmp_path / "deploy" / name) for name in ("Procfile", "cron.yaml", ".ebextensions/rota.config")
    ]
    assert [done.exit_code for done in (written, again, refused, replaced)] == [0, 0, 2, 0]
    assert "Procfile is there and says something else" in refused.stderr
    assert kept == "web: mine\n"
    assert procfile.read_text().startswith("web: rota serve")


def test_a_server_may_be_named_for_a_file_and_is_not_asked(tmp_path):
    done = generate("cron", "--url", "https://jobs.example.org", directory=tmp_path)

    assert "--url https://jobs.example.org tick --max 50s\n" in done.stdout


@pytest.mark.parametrize("path", host_pages.PAGES, ids=shown)
def test_a_page_shows_what_is_printed_now(path):
    page = path.read_text("utf-8")

    assert len(host_pages.SHOWN.findall(page)) >= 2
    assert host_pages.filled(page) == page, "run: make docs"


def test_the_table_of_hosts_names_all():
    page = (host_pages.DOCS / "operate" / "hosts.md").read_text("utf-8")

    assert [host for host in HOSTS if host not in page] == []
