"""`rota token`: keys and tokens for the HTTP door, and `rota serve` where it does not start."""

import json
from datetime import UTC, datetime

import pytest

from rota.access.api_keys import key_text
from rota.queries import AuditQuery
from rota.settings import AuthSettings, Settings, load
from tests.surfaces.conftest import an_app, data, error, run

SECRET = "a-secret-of-more-than-thirty-two-bytes-made-for-tests"


@pytest.fixture
def app():
    return an_app(settings=Settings(auth=AuthSettings(secret=SECRET)))


def test_a_key_is_alone_on_its_line_and_shown_once(app, rota):  # R62, R65
    made = rota("token", "create", "prometheus", "--can", "read", "--note", "scrapes")

    key = key_text(made.stdout.strip())
    assert key is not None and key.id in made.stderr
    [row] = data(rota("token", "list", "--json"))
    assert (row["id"], row["subject"], row["note"]) == (key.id, "prometheus", "scrapes")
    shown = made.stderr + rota("token", "list").stdout + rota("token", "list", "--json").stdout
    assert key.secret not in shown + rota("audit", "--json").stdout


def test_a_program_gets_the_key_as_a_document(rota):  # R63
    made = data(rota("token", "create", "ci", "--can", "trigger", "--job", "sync", "--tenant", "acme", "--json"))

    assert key_text(made["token"]).id == made["id"]
    assert made["ends_at"] is None


def test_tenants_of_a_key_are_named_as_everywhere(rota):  # R62
    rota("token", "create", "ci", "--can", "read", "--tenant", "acme,globex")

    [row] = data(rota("token", "list", "--json"))
    assert row["tenants"] == ["acme", "globex"]


@pytest.mark.parametrize("limit", ["--tenant", "--job"])
def test_a_limit_of_a_key_that_came_out_empty_is_refused(rota, limit):  # R64
    assert rota("token", "create", "ci", "--can", "read", limit, "").exit_code == 2
    assert data(rota("token", "list", "--json")) == []


def test_a_token_is_made_and_looked_at(rota):  # R62
    token = rota("token", "create", "ci", "--kind", "jwt", "--can", "read,trigger", "--tenant", "acme").stdout

    seen = rota("token", "inspect", input=token)

    assert seen.exit_code == 0
    assert "for ci" in seen.stdout and "read, trigger" in seen.stdout and "tenants acme" in seen.stdout
    refused = rota("token", "inspect", input=token[:-4])
    assert (refused.exit_code, refused.stdout) == (1, "not believed: signature: not by this key\n")


def test_a_key_is_revoked_with_a_reason(app, rota):  # T18, T73
    key = key_text(rota("token", "create", "ci").stdout.strip())

    ended = rota("token", "revoke", key.id, "--reason", "left")

    assert ended.stdout == f"key {key.id}: refused from now on, within seconds\n"
    assert data(rota("token", "list", "--json")) == []
    assert rota("token", "inspect", input=key.text).exit_code == 1
    assert [entry.action for entry in app.store.audit(AuditQuery(limit=2))] == ["key.revoke", "key.create"]


def test_a_token_that_was_called_back_is_listed(rota):  # T18
    assert rota("token", "revoke", "0123", "--reason", "laptop lost").stdout.startswith("token 0123: refused")

    [row] = data(rota("token", "list", "--json"))
    assert (row["kind"], row["id"], row["revoked"], row["note"]) == ("token", "0123", True, "laptop lost")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["ci", "--can", "write"], "no capability"),
        (["ci", "--can", ""], "for something"),
        (["ci", "--life", "soon"], "--life"),
        (["ci", "--kind", "jwt", "--life", "2h"], "auth.longest_life"),
        (["ci", "--kind", "jwt", "--key", "none"], "'none'"),
        (["ci", "--key", "x"], "signed with nothing"),
        (["a\nb"], "printable"),
    ],
)
def test_what_makes_no_sense_is_named(rota, words, named):  # R64
    refused = rota("token", "create", *words, "--json")

    assert refused.exit_code == 2
    assert named in error(refused)["message"]


def test_nothing_to_inspect_is_said(rota):  # R64
    assert rota("token", "inspect", input="").exit_code == 2


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"auth": {}}, "no key"),
        ({"auth": {"secret": "secret"}}, "6 bytes"),
        ({"auth": {"secret": SECRET}, "web": {"host": "0.0.0.0"}}, "allowed_hosts"),
        ({"auth": {"disable": "true"}}, "development"),
        ({"auth": {"disable": "yes"}}, "DISABLE_AUTH"),
        ({"mode": "development", "auth": {"disable": "true"}, "web": {"host": "0.0.0.0"}}, "loopback"),
        ({"auth": {"mode": "host"}}, "resolve_user"),
    ],
)
def test_a_server_that_must_not_start_says_why_and_ends_with_2(tmp_path, monkeypatch, settings, named):  # T8, T9, J18
    # A name of its own: what was imported before would be taken again.
    module = f"door_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text('from rota import Rota\nrota = Rota("memory://")\n')
    lines = [f'mode = "{settings["mode"]}"'] if "mode" in settings else []
    for section in ("web", "auth"):
        lines += [
            f"[{section}]",
            *(f"{name} = {json.dumps(value)}" for name, value in settings.get(section, {}).items()),
        ]
    (tmp_path / "rota.toml").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)

    refused = run(None, "serve", "--app", f"{module}:rota", "--port", "0", "--json", directory=tmp_path)

    assert refused.exit_code == 2
    assert named in error(refused)["message"]


def test_keys_are_tables_of_the_file(tmp_path):  # R62, T18
    (tmp_path / "rota.toml").write_text(
        '[[auth.key]]\nid = "2026"\nalgorithm = "HS256"\nfile = "keys/2026"\nuntil = 2026-12-31\n'
        '[[auth.key]]\nid = "2027"\nalgorithm = "EdDSA"\nfile = "/keys/2027"\nuntil = 2027-06-30T12:00:00Z\n'
    )

    first, second = load(env={}, directory=tmp_path).auth.key

    assert (first.id, first.file, first.until) == (
        "2026",
        str(tmp_path / "keys/2026"),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert (second.file, second.until) == ("/keys/2027", datetime(2027, 6, 30, 12, tzinfo=UTC))
