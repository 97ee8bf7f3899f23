"""The page on driving it from outside: its lines are sent, its recipes ask what there is."""

import re
import shlex
from itertools import pairwise
from types import ModuleType

import pytest
from starlette.testclient import TestClient

from rota import Rota
from rota.settings import WebSettings
from rota.web import asgi_app
from rota.web.sqsd import JOB
from tests.house.source import ROOT
from tests.web.values import a_token, some_settings

PAGE = (ROOT / "docs/guide/http.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


CURLS = re.findall(r"^\$ (curl .*)$", PAGE, re.MULTILINE)


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


def test_the_rule_of_eventbridge_asks_what_there_is(app):
    asked = re.search(r"^ +Input: '(.*)'$", PAGE, re.MULTILINE).group(1)
    headers = {"Authorization": f"Bearer {a_token()}", "Content-Type": "application/json"}

    assert TestClient(asgi_app(app)).post("/api/cron/run", content=asked, headers=headers).status_code == 200


def test_a_job_may_have_an_entry_of_its_own_for_the_daemon(app):
    [address] = re.findall(r"`url: (\S+)`", PAGE)

    assert address.removeprefix(JOB) in app.jobs


def test_what_the_page_says_of_limits_is_so():
    web = WebSettings()
    said = dict(re.findall(r"^\| `web\.(\w+)` \| ([\d,]+)", PAGE, re.MULTILINE))

    for name, number in said.items():
        value = getattr(web, name)
        plain = int(value.total_seconds()) if hasattr(value, "total_seconds") else int(value)
        assert plain in (int(number.replace(",", "")), int(number.replace(",", "")) << 20)
