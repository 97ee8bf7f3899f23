"""Every file of every host: what holds for all of them."""

import re
from datetime import timedelta

import pytest

from rota.errors import ConfigurationError
from rota.hosts import HOSTS, remarks
from rota.settings import Settings, StoreSettings, WorkerSettings
from rota.settings.loading import environment_names
from tests.hosts.values import URL, a_site, commands_in, everything, is_command, written

FILES = everything()
READ_BY_COMMANDS = {"ROTA_TOKEN_FILE"}


@pytest.mark.parametrize("name", FILES)
def test_every_command_in_a_file_is_one_with_options_that_there_are(name):
    assert all(is_command(words) for words in commands_in(FILES[name]))


def test_every_host_calls_rota():
    callers = {name.partition(":")[0].partition(" of")[0] for name, text in FILES.items() if commands_in(text)}

    # A template for EventBridge sends requests.
    assert callers == set(HOSTS) - {"eventbridge"}


def test_every_variable_in_a_file_is_a_setting():
    named = {name for text in FILES.values() for name in re.findall(r"ROTA_[A-Z_]+", text)}

    assert named - READ_BY_COMMANDS <= set(environment_names().values())
    assert {"ROTA_APP", "ROTA_STORE", "ROTA_WEB__ALLOWED_HOSTS"} <= named


def test_no_secret_of_the_settings_is_in_a_file():  # R65
    url = "postgresql+psycopg://ops:canary-7f3a@db/rota"
    texts = everything(Settings(store=StoreSettings(url=url)), store_url=url)

    assert not [name for name, text in texts.items() if "canary" in text or "ops" in text]


def test_a_host_waits_longer_than_a_stop_takes():  # R45
    slow = Settings(worker=WorkerSettings(drain=timedelta(minutes=10), kill_grace=timedelta(seconds=5)))

    assert "TimeoutStopSec=615\n" in written("systemd", slow)["rota.service"]
    assert "terminationGracePeriodSeconds: 615\n" in written("k8s", slow)["rota.yaml"]
    assert "stop_grace_period: 615s\n" in written("compose", slow)["compose.yaml"]


def test_a_pass_beside_the_store_may_take_as_long_as_the_longest_job():
    hours = [timedelta(minutes=5), timedelta(hours=2)]

    assert "tick --max 2h\n" in written("cron", timeouts=hours)["rota.crontab"]
    assert "activeDeadlineSeconds: 7245\n" in written("k8s", timeouts=hours)["rota-tick.yaml"]
    assert "tick --max 1d\n" in written("cron", timeouts=[None])["rota.crontab"]


def test_processes_are_those_of_the_settings_and_one_where_a_container_would_count_its_node():
    four = Settings(worker=WorkerSettings(processes=4))

    assert '"start", "--processes", "4"]' in written("k8s", four)["rota.yaml"]
    assert '"start", "--processes", "1"]' in written("k8s")["rota.yaml"]
    assert written("procfile", four)["Procfile"].endswith("worker: rota start --processes 4\n")


def test_an_application_that_is_found_by_itself_is_not_named():
    assert not [name for name, text in everything(environment={}).items() if "ROTA_APP" in text]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": "Rota Jobs"}, "--name 'Rota Jobs': it is to be small letters"),
        (
            {"environment": {"ROTA_APP": "app:rota; reboot"}},
            "the application 'app:rota; reboot': it is to be module:name",
        ),
        ({"user": "app\nExecStartPre=reboot"}, "--user"),
        ({"image": "app:1 # "}, "--image"),
        ({"directory": "srv/app"}, "--directory 'srv/app': it is to be the whole path"),
        ({"directory": "/srv\nUser=root"}, "--directory"),
        ({"url": "jobs.example.org"}, "write it as https://jobs.example.org"),
        ({"url": "https://me:canary@jobs.example.org"}, "the token goes into ROTA_TOKEN_FILE"),
    ],
)
def test_what_no_file_could_hold_is_refused(said, words):  # R64
    with pytest.raises(ConfigurationError, match=re.escape(words)) as refused:
        a_site(**said)

    assert "canary" not in str(refused.value)


def test_a_store_in_a_file_is_remarked_upon_where_processes_share_no_disk():
    remarked = {host for host in HOSTS if len(remarks(host, a_site(store_url="sqlite:///rota.db", url=URL))) > 1}

    assert remarked == {"k8s", "eb", "compose", "dockerfile", "procfile"}
    assert all(len(remarks(host, a_site(url=URL))) == 1 for host in HOSTS)
