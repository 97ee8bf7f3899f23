"""Authentication that is off: for development on this machine alone (R62, T9)."""

import pytest

from rota.errors import ConfigurationError
from rota.settings import AuthMode
from rota.settings.values import Mode
from tests.web.values import a_client, a_token, an_app, some_settings

JOBS = "/api/v1/jobs"
HERE = {"source": "127.0.0.1", "base": "http://localhost:8765"}


def off(**auth):
    return an_app(some_settings(mode=Mode.DEVELOPMENT, auth={"disable": "true"} | auth))


def test_everybody_may_do_everything_from_this_machine():  # R62
    answer = a_client(off(), **HERE).get(JOBS)

    assert answer.status_code == 200
    assert answer.headers["x-rota-auth"] == "off"


def test_a_page_says_so_and_no_other_does():  # R62, T9
    is_off = "Authentication is off"

    assert is_off in a_client(off(), **HERE).get("/api/docs").text
    assert is_off not in a_client(an_app(), a_token(), **HERE).get("/api/docs").text


@pytest.mark.parametrize(
    "written", ["1", "True", "TRUE", "yes", "yes ", "true ", " true", "on", "t", "0", "no", "None"]
)
def test_only_one_spelling_turns_it_off(written):  # T9
    for mode in Mode:
        with pytest.raises(ConfigurationError, match="DISABLE_AUTH"):
            an_app(some_settings(mode=mode, auth={"disable": written})).asgi_app()


@pytest.mark.parametrize("written", ["", "false"])
def test_nothing_and_false_leave_it_on(written):  # T9
    app = an_app(some_settings(mode=Mode.DEVELOPMENT, auth={"disable": written}))

    assert a_client(app, **HERE).get(JOBS).status_code == 401


@pytest.mark.parametrize("auth", [{"disable": "true"}, {"mode": AuthMode.NONE}])
def test_it_is_refused_outside_development(auth):  # T9
    with pytest.raises(ConfigurationError, match="development"):
        an_app(some_settings(auth=auth)).asgi_app()


@pytest.mark.parametrize("source", ["10.0.0.7", "::ffff:10.0.0.7", "testclient", "", "0.0.0.0", "127.1", "128.0.0.1"])
def test_another_machine_is_not_answered(source):  # T9
    assert a_client(off(), source=source, base=HERE["base"]).get(JOBS).status_code == 403


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"])
def test_nobody_is_answered_through_a_proxy(header):  # T9
    assert a_client(off(), **HERE).get(JOBS, headers={header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.7", ""])
def test_a_name_that_only_leads_here_is_not_ours(host):  # T39
    assert a_client(off(), **HERE).get(JOBS, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ],
)
def test_a_page_of_others_changes_nothing(name, value):  # T35
    assert a_client(off(), **HERE).post(JOBS, headers={name: value}).status_code == 403


def test_a_script_and_a_page_of_ours_may():  # T35
    client = a_client(off(), **HERE)

    for sent in ({}, {"Origin": "http://localhost:8765"}, {"Sec-Fetch-Site": "same-origin"}):
        assert client.post(JOBS, headers=sent).status_code == 405
