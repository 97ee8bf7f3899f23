"""The page on driving it from outside: its lines are sent, its recipes are read as those read them who they are for."""

import configparser
import json
import re
import shlex
from itertools import pairwise
from types import ModuleType

import click
import pytest
import yaml
from starlette.testclient import TestClient

from rota import Rota
from rota.cli.root import root
from rota.core.cron import canonical
from rota.settings import WebSettings
from rota.web import asgi_app
from rota.web.sqsd import JOB, PATHS
from tests.house.source import ROOT
from tests.web.values import a_token, some_settings

PAGE = (ROOT / "docs/guide/http.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


CURLS = re.findall(r"^\$ (curl .*)$", PAGE, re.MULTILINE)
COMMANDS = [
    line
    for text in [
        *(line.split(maxsplit=6)[6] for line in blocks("cron")[0].splitlines()),
        *re.findall(r"^ExecStart=(.*)$", PAGE, re.MULTILINE),
    ]
    for line in [text.partition("rota ")[2]]
]


@pytest.fixture
def app(tmp_path, monkeypatch) -> Rota:
    monkeypatch.chdir(tmp_path)
    page = ModuleType("page")
    for block in blocks("python"):
        exec(compile(block, "http.md", "exec"), page.__dict__)
    made: Rota = page.rota
    made.configure(some_settings())
    made.open_store().setup()
    return made


@pytest.mark.parametrize("line", CURLS)
def test_a_line_of_curl_is_taken(line, app):
    words = shlex.split(line.replace("$ROTA_TOKEN", a_token()))[1:]
    said = dict(pairwise(words))
    headers = [tuple(words[at + 1].split(": ", 1)) for at, word in enumerate(words) if word == "-H"]

    answer = TestClient(asgi_app(app)).request(said["-X"], words[-1], headers=dict(headers), content=said.get("-d"))

    assert answer.status_code in (200, 202), answer.text


@pytest.mark.parametrize("line", COMMANDS)
def test_a_line_for_a_timer_is_a_command(line):
    words = shlex.split(line)
    with root.make_context("rota", words[:]) as context:
        name, command, rest = root.resolve_command(context, [*context._protected_args, *context.args])
        assert isinstance(command, click.Command)
        command.make_context(name, rest, parent=context)


def test_the_container_runs_a_command_that_there_is():
    [job] = [told for text in blocks("yaml") for told in [yaml.safe_load(text)] if told.get("kind") == "CronJob"]
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]

    assert " ".join(container["command"]) == f"rota {COMMANDS[0]}"
    canonical(job["spec"]["schedule"])


def test_the_units_can_be_read():
    service, timer = map(read, blocks("ini"))

    assert service["Service"]["Type"] == "oneshot"
    assert timer["Timer"]["OnCalendar"] == "minutely"


def read(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_the_rule_of_eventbridge_asks_what_there_is(app):
    rule = json.loads(blocks("json")[-1])
    [target] = rule["Targets"]
    headers = {"Authorization": f"Bearer {a_token()}", "Content-Type": "application/json"}

    assert TestClient(asgi_app(app)).post("/api/cron/run", content=target["Input"], headers=headers).status_code == 200


def test_a_cron_yaml_asks_for_addresses_that_the_daemon_may(app):
    [told] = [told for text in blocks("yaml") for told in [yaml.safe_load(text)] if "cron" in told]

    for task in told["cron"]:
        canonical(task["schedule"])
        assert task["url"] in PATHS or task["url"].removeprefix(JOB) in app.jobs


def test_what_the_page_says_of_limits_is_so():
    web = WebSettings()
    said = dict(re.findall(r"^\| `web\.(\w+)` \| ([\d,]+)", PAGE, re.MULTILINE))

    for name, number in said.items():
        value = getattr(web, name)
        plain = int(value.total_seconds()) if hasattr(value, "total_seconds") else int(value)
        assert plain in (int(number.replace(",", "")), int(number.replace(",", "")) << 20)
