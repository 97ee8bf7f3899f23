"""Settings: precedence, origins, and what is refused with which words."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from rota.errors import ConfigurationError, UnknownSetting
from rota.settings import LogLevel, Migrate, Mode, RetrySettings, Settings, WorkerSettings, load
from rota.settings.loading import unread_names
from rota.settings.reading import KINDS, laid_over, value_of


def loaded(tmp_path: Path, toml: str = "", env: dict[str, str] | None = None, **more) -> Settings:
    """Load settings of a directory with this rota.toml and this environment."""
    if toml:
        (tmp_path / "rota.toml").write_text(toml)
    return load(env=env or {}, directory=tmp_path, **more)


def test_without_anything_every_setting_has_its_default(tmp_path):
    settings = loaded(tmp_path)

    assert settings == Settings()
    assert settings.origin("worker.lease") == "default"


def test_the_defaults_fit_together():
    Settings().check()


PRECEDENCE = [
    ({}, {}, None, timedelta(seconds=10), "rota.toml"),
    ({}, {}, "night", timedelta(minutes=1), "rota.toml [profile.night]"),
    ({"ROTA_WORKER__DRAIN": "2m"}, {}, "night", timedelta(minutes=2), "environment ROTA_WORKER__DRAIN"),
    ({"ROTA_WORKER__DRAIN": "2m"}, {"worker.drain": "3m"}, "night", timedelta(minutes=3), "flag"),
]


@pytest.mark.parametrize(("env", "flags", "profile", "drain", "origin"), PRECEDENCE)
def test_a_flag_beats_the_environment_beats_the_profile_beats_the_file(tmp_path, env, flags, profile, drain, origin):
    toml = '[worker]\ndrain = "10s"\n[profile.night.worker]\ndrain = "1m"\n'

    settings = loaded(tmp_path, toml, env, overrides=flags, profile=profile)

    assert settings.worker.drain == drain
    assert settings.origin("worker.drain") == origin


def test_the_profile_may_come_from_the_environment(tmp_path):
    settings = loaded(tmp_path, '[profile.test]\nstore.url = "blackhole://"\n', {"ROTA_PROFILE": "test"})

    assert settings.store.url == "blackhole://"


def test_pyproject_is_read_where_there_is_no_rota_toml(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.rota]\napp = "shop:rota"\n[tool.rota.retry]\nattempts = 7\n')

    settings = loaded(tmp_path)

    assert (settings.app, settings.retry.attempts) == ("shop:rota", 7)


def test_a_pyproject_with_something_else_for_rota_is_refused(tmp_path):  # R64
    (tmp_path / "pyproject.toml").write_text("[tool]\nrota = 1\n")

    with pytest.raises(ConfigurationError, match=r"tool\.rota in .* must be a table"):
        loaded(tmp_path)


def test_a_pyproject_without_rota_is_no_settings_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')

    assert loaded(tmp_path) == Settings()


READ = [
    ("app", "ROTA_APP", "shop:rota", "shop:rota"),
    ("store.url", "ROTA_STORE", "memory://", "memory://"),
    ("logging.level", "ROTA_LOG", "debug", LogLevel.DEBUG),
    ("mode", "ROTA_MODE", "Development", Mode.DEVELOPMENT),
    ("store.pool_size", "ROTA_STORE__POOL_SIZE", "9", 9),
    ("store.migrate", "ROTA_STORE__MIGRATE", "off", Migrate.OFF),
    ("retry.factor", "ROTA_RETRY__FACTOR", "1.5", 1.5),
    ("retry.jitter", "ROTA_RETRY__JITTER", "no", False),
    ("worker.timeout", "ROTA_WORKER__TIMEOUT", "none", None),
    ("worker.timeout", "ROTA_WORKER__TIMEOUT", "1h30m", timedelta(minutes=90)),
    ("worker.queues", "ROTA_WORKER__QUEUES", "mail:4, default:8", {"mail": 4, "default": 8}),
    ("worker.queues", "ROTA_WORKER__QUEUES", '{"mail": 4}', {"mail": 4}),
]


@pytest.mark.parametrize(("key", "variable", "text", "value"), READ)
def test_the_environment_is_read_in_the_type_of_the_setting(tmp_path, key, variable, text, value):
    assert value_of(loaded(tmp_path, env={variable: text}), key) == value


REFUSED = [
    ("[worker]\nleas = '20s'", "unknown setting 'worker.leas' in rota.toml; did you mean 'worker.lease'"),
    ("[wroker]\nlease = '20s'", "unknown setting 'wroker' in rota.toml; did you mean 'worker'"),
    ("[profile.x.worker]\nleas = '20s'", "unknown setting 'worker.leas' in rota.toml [profile.x]"),
    ("[worker]\nlease = 20", 'worker.lease (rota.toml): 20 must be a duration with its unit, in quotes: "20s"'),
    ("[worker]\nlease = 'soon'", "worker.lease (rota.toml): 'soon' is no duration; write a number with a unit"),
    ("[worker]\nconcurrency = true", "worker.concurrency (rota.toml): True must be a whole number"),
    ("[worker]\nconcurrency = 0", "worker.concurrency is 0: it must be at least 1"),
    ("[worker]\nqueues = { mail = 'x' }", "must name queues with their places: mail:4,default:8"),
    ("[worker]\nqueues = 'mail:4,mail:5'", "worker.queues (rota.toml): 'mail:4,mail:5' names the queue 'mail' twice"),
    ("[worker]\nqueues = 'mail:four'", "must name queues with their places: mail:4,default:8"),
    ("[worker]\nqueues = ':4'", "must name queues with their places: mail:4,default:8"),
    ("[worker]\nqueues = { mail = 0 }", "worker.queues.mail is 0"),
    ("[retry]\njitter = 'maybe'", "retry.jitter (rota.toml): 'maybe' must be true or false"),
    ("mode = 'prodction'", "must be one of production, development; did you mean 'production'?"),
    ("timezone = 'Mars/Base'", "timezone (rota.toml): 'Mars/Base' is no time zone"),
    ("worker = 3", "worker in rota.toml must be a table: [worker]"),
    ("profile = 3", "profile in"),
    ("[worker", "is not TOML"),
    (
        "[worker]\nlease = '5s'",
        "worker.lease is 5s: it must be at least three times worker.heartbeat (5s), so 15s or more",
    ),
    (
        "[worker]\nmargin = '18s'",
        "worker.margin is 18s: with worker.lease 20s and worker.heartbeat 5s it must be at most 12s",
    ),
    ("[logging]\ncapture_bytes = '1KB'", "logging.capture_bytes is 1KB: it must be at least 16KB"),
    ("[worker]\nheartbeat = '0s'", "worker.heartbeat is 0s: it must be longer than nothing"),
]


@pytest.mark.parametrize(("toml", "words"), REFUSED)
def test_a_file_that_cannot_work_is_refused_with_key_and_reason(tmp_path, toml, words):  # R64
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, toml)

    assert words in str(caught.value)


def test_an_unknown_variable_with_a_section_is_refused_and_names_the_one_meant(tmp_path):
    with pytest.raises(UnknownSetting, match="ROTA_WORKER__LEASE"):
        loaded(tmp_path, env={"ROTA_WORKER__LEAS": "20s"})


def test_a_variable_of_someone_else_is_left_alone_and_can_be_listed(tmp_path):
    env = {"ROTA_COLOUR": "red", "ROTA_STORE": "memory://", "ROTA_PROFILE": ""}

    assert loaded(tmp_path, env=env).store.url == "memory://"
    assert unread_names(env) == ["ROTA_COLOUR"]


def test_an_unknown_profile_is_refused_with_the_one_meant(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no \[profile.tset\] in .*; did you mean 'test'"):
        loaded(tmp_path, "[profile.test]\n", profile="tset")


def test_a_file_that_was_named_and_is_missing_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml cannot be read: No such file"):
        loaded(tmp_path, env={"ROTA_CONFIG": str(tmp_path / "nowhere.toml")})


SECRET = "postgresql://rota:hunter2@db/rota"


def test_a_secret_may_stand_in_a_file_beside_the_settings(tmp_path):
    (tmp_path / "url").write_text(SECRET + "\n")

    assert loaded(tmp_path, '[store]\nurl_file = "url"').store.url == SECRET


@pytest.mark.parametrize("toml", ['[store]\nurl_file = "gone"', '[profile.production.store]\nurl_file = "gone"'])
def test_a_file_of_a_secret_that_another_takes_the_place_of_need_not_be_here(tmp_path, toml):
    assert loaded(tmp_path, toml, {"ROTA_STORE": SECRET}).store.url == SECRET


@pytest.mark.parametrize("variable", ["ROTA_STORE_FILE", "ROTA_STORE__URL_FILE"])
def test_a_secret_may_stand_in_a_file_that_the_environment_names(tmp_path, variable):
    (tmp_path / "url").write_text(SECRET)

    settings = loaded(tmp_path, env={variable: str(tmp_path / "url")})

    assert settings.store.url == SECRET
    assert settings.origin("store.url") == f"environment {variable}"


def test_the_store_may_name_the_variable_that_has_its_url(tmp_path):
    toml = '[store]\nurl = "env:DATABASE_URL"'

    assert loaded(tmp_path, toml, {"DATABASE_URL": SECRET}).store.url == SECRET
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set in the environment"):
        loaded(tmp_path, toml)


def test_no_error_or_representation_shows_the_password_of_the_store(tmp_path):  # R65
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, f'[store]\nurl = ["{SECRET}"]')
    settings = loaded(tmp_path, f'[store]\nurl = "{SECRET}"')

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(SimpleNamespace(settings=settings))


@pytest.mark.parametrize(
    ("url", "mode", "migrate"),
    [
        ("sqlite:///rota.db", "production", Migrate.AUTO),
        ("postgresql://db/rota", "production", Migrate.CHECK),
        ("postgresql://db/rota", "development", Migrate.AUTO),
    ],
)
def test_the_schema_is_brought_up_to_date_only_where_nobody_else_looks_after_it(tmp_path, url, mode, migrate):  # R70
    assert loaded(tmp_path, f'mode = "{mode}"').migrate(url) is migrate


def test_every_setting_can_be_set_by_its_own_variable(tmp_path):
    names = {f"ROTA_{key.upper().replace('.', '__')}" for key in KINDS}

    assert unread_names(dict.fromkeys(names, "")) == []


def test_what_the_code_says_stays_where_nothing_was_set(tmp_path):
    code = Settings(retry=RetrySettings(attempts=9), timezone="Europe/Paris")
    given = loaded(tmp_path, '[worker]\ndrain = "1m"', {"ROTA_TIMEZONE": "UTC"})

    together = laid_over(code, given)

    assert (together.retry.attempts, together.timezone) == (9, "UTC")
    assert together.worker.drain == timedelta(minutes=1)
    assert together.origin("timezone") == "environment ROTA_TIMEZONE"


def test_settings_of_code_and_file_that_do_not_fit_together_are_refused(tmp_path):
    code = Settings(worker=WorkerSettings(lease=timedelta(minutes=1), heartbeat=timedelta(seconds=20)))

    with pytest.raises(ConfigurationError, match=r"worker\.lease is 30s"):
        laid_over(code, loaded(tmp_path, '[worker]\nlease = "30s"'))
