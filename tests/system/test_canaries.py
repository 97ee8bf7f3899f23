"""A day with secrets of which each is unique, and then a search for them wherever Rota wrote: T50 to T54, R65."""

import json
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, text

from tests.mail_server import mail_server
from tests.system.processes import Site, end, wait_until

CANARIES = {
    "store": "Cst0re-7f/3a@9",
    "tenant": "Ctenant-51d2:0c",
    "named": "Cnamed-e29b6f04",
    "secret": 'Csecret-88"1d&7',
    "nested": "Cnested-4be0a7c3",
    "environment": "Cenviron-90af2e",
    "result": "Cresult-c6d7713b",
    "local": "Clocal-3bd95e20",
    "data": "Cdata-0f62c811aa",
    "mail": "Cmail-77be12d9f0",
}
"""By where it is. With characters that JSON, URLs and HTML write otherwise."""

JOBS = '''
import logging
import sqlite3
import sys
from datetime import timedelta
from pathlib import Path

from rota import Retry, Secret, Tenant

HERE = Path(__file__).parent
app = Rota({url!r}, tenants=[
    Tenant(id="acme", url="sqlite:///" + str(HERE / "acme.db")),
    Tenant(id="globex", url={away!r}),
])
SOON = Retry(attempts=2, base=timedelta(milliseconds=100), jitter=False)
log = logging.getLogger("shop")


def say_all(card, password):
    """Every way in which a job may give a secret away."""
    print("charging", card, "with", password)
    sys.stdout.write("in pieces " + card[:6])
    sys.stdout.write(card[6:] + "\\n")
    print("x" * 6130 + card + "y" * 9000)
    print(card.encode().hex(), file=sys.stderr)
    log.info("card %s", card)
    log.debug("card %r", {{"card": card}})
    log.error("in json: %s", json.dumps({{"deep": json.dumps([card, password])}}))


@app.job()
def charges(ctx: RunContext, password: str, card: Secret[str], options: dict) -> dict:
    say_all(card, password)
    ctx.log.warning("options: %s", options)
    return {{"token": (HERE / "result").read_text(), "rows": 3}}


def library(secret_of_a_frame, depth):
    if depth:
        return library(secret_of_a_frame, depth - 1)
    return json.loads("{{not json")


@app.job(retry=SOON)
def fails(password: str, card: Secret[str]) -> None:
    of_this_frame = (HERE / "local").read_text()
    try:
        library(of_this_frame, 5)
    except ValueError as error:
        log.exception("it failed")
        raise RuntimeError(f"refused {{card}} {{password}}") from error


@app.job(timeout="500ms", retry=SOON)
def hangs(ctx: RunContext, card: Secret[str]) -> None:
    print("hangs", card)
    ctx.sleep(30)


@app.job(executor="process", retry=SOON)
def dies(card: Secret[str]) -> None:
    print("dies", card, file=sys.stderr, flush=True)
    say_all(card, card)
    os.kill(os.getpid(), 9)


@app.job(executor="process", retry=SOON)
def fails_in_a_child(card: Secret[str]) -> dict:
    say_all(card, card)
    (HERE / "environ").write_text(json.dumps(dict(os.environ)))
    raise RuntimeError(f"refused {{card}}")


@app.job()
def waits(card: Secret[str]) -> None:
    time.sleep(0)


@app.job(per_tenant=True, retry=SOON)
def reads(engine) -> None:
    with engine.begin() as db:
        from sqlalchemy import text
        row = {{"iban": (HERE / "data").read_text()}}
        db.execute(text("CREATE TABLE IF NOT EXISTS ibans (iban TEXT PRIMARY KEY)"))
        for _ in range(2):
            db.execute(text("INSERT INTO ibans VALUES (:iban)"), row)
'''

ENQUEUE = """
import json
from pathlib import Path
from app import app, charges, fails, hangs, dies, fails_in_a_child, waits

given = json.loads(Path("given").read_text())
app.schedules.sync()
named, card = given["named"], given["secret"]
ids = [
    charges.enqueue(password=named, card=card, options={"api_key": given["nested"], "rows": 3}),
    fails.enqueue(password=named, card=card),
    hangs.enqueue(card=card),
    dies.enqueue(card=card),
    fails_in_a_child.enqueue(card=card),
    waits.using(delay="1h").enqueue(card=card),
]
print(json.dumps([getattr(one, "id", one) for one in ids]))
"""

SETTINGS = """
[logging]
level = "DEBUG"
format = "{form}"
capture_level = "DEBUG"

[alerts]
cool_down = "1h"

[[alerts.channel]]
kind = "email"
to = ["ops@example.org"]
smtp = "{smtp}"

[[alerts.channel]]
kind = "log"
"""


def written(canary):
    """Return the forms in which a secret may have got somewhere."""
    data = canary.encode()
    return {
        "plain": canary,
        "json": json.dumps(canary)[1:-1],
        "json in json": json.dumps(json.dumps(canary))[3:-3],
        "percent": quote(canary, safe=""),
        "hex": data.hex(),
        "base64": b64encode(data).decode()[:-4],
        "base64, one on": b64encode(b"x" + data).decode()[4:-4],
        "base64, two on": b64encode(b"xx" + data).decode()[4:-4],
    }


def leaks(sink, shown, *, but=()):
    """Return which secrets are in a text, in which form."""
    return [
        f"{name} ({form}) in {sink}"
        for name, canary in CANARIES.items()
        if name not in but
        for form, text_ in written(canary).items()
        if text_ in shown
    ]


@pytest.fixture
def store(postgres_server):
    """A PostgreSQL store whose account has a canary for a password, and what the server itself says of it."""
    name = postgres_server.create_database().rpartition("/")[2]
    admin = create_engine(postgres_server.admin_url, isolation_level="AUTOCOMMIT")
    role = f"canary_{name}"
    with admin.connect() as db:
        db.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD '{CANARIES['store']}'"))
        db.execute(text(f"ALTER DATABASE {name} OWNER TO {role}"))
    password = quote(CANARIES["store"], safe="")
    where = f"{postgres_server.host}:{postgres_server.port}/{name}"
    yield f"postgresql+psycopg://{role}:{password}@{where}", postgres_server.url(name)
    postgres_server.drop_database(name)
    with admin.connect() as db:
        db.execute(text(f"DROP ROLE {role}"))
    admin.dispose()


def a_site(folder, url, *, form, smtp):
    away = f"mysql+pymysql://shop:{CANARIES['tenant']}@127.0.0.1:9/shop"
    site = Site(folder, url=url, jobs=JOBS.format(url=url, away=away), settings=SETTINGS.format(form=form, smtp=smtp))
    for name in ("result", "local", "data"):
        (folder / name).write_text(CANARIES[name])
    (folder / "given").write_text(json.dumps(CANARIES))
    (folder / "enqueue.py").write_text(ENQUEUE)
    (folder / "acme.db").touch()
    return site


def command_lines():
    """Return what anybody on this machine may read of its processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(found)


def day(site, admin_url):
    """Run the script of the day; return the ids of its runs and what was seen of processes meanwhile."""
    environment = site.environment() | {"SHOP_TOKEN": CANARIES["environment"], "PYTHONUNBUFFERED": "1"}
    site.environment = lambda: environment
    site.rota("db", "upgrade")
    done = subprocess.run(
        [sys.executable, "enqueue.py"], cwd=site.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ids = json.loads(done.stdout)
    engine = create_engine(admin_url)
    states: dict[str, str] = {}
    with site.started("--processes", "1", "-v") as process:
        site.rota("run", "reads", "--no-wait", check=False)
        seen: list[str] = []

        def are_over():
            seen.append(command_lines())
            with engine.connect() as db:
                states.update(db.execute(text("SELECT id, state FROM rota_runs")).all())
            return all(states[run] in ("succeeded", "failed") for run in ids[:-1])

        wait_until(are_over, what="the end of all runs")
        site.rota("cancel", ids[-1], "--yes", check=False)
        time.sleep(1)
        end(process)
    engine.dispose()
    return ids, states, "\n".join(seen)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_day_with_secrets_leaves_none_of_them_anywhere(tmp_path, store, form):  # T50 to T54, R65
    url, admin_url = store
    with mail_server() as mails:
        site = a_site(tmp_path / "site", url, form=form, smtp=f"smtp://127.0.0.1:{mails.port}")
        ids, states, seen = day(site, admin_url)
        told = "\n".join(mail.message.as_string() for mail in mails.mails)

    # The day was what it should be, or the search would find nothing for that reason.
    assert [states[run] for run in ids[:-1]] == ["succeeded", "failed", "failed", "failed", "failed"]
    log = site.logs()
    assert "charging *** with ***" in log
    assert "refused *** ***" in log
    found = leaks("the log of the process", log) + leaks("a command line", seen)
    found += leaks("a mail", told) + [leak for mail in mails.mails for leak in leaks("a mail", str(mail))]
    asked = commands(ids) if form == "json" else []
    for words, (_, said) in zip(asked, site.rotas(*asked), strict=True):
        found += leaks(f"rota {' '.join(words)}", said)
    for file in site.folder.rglob("*"):
        if file.is_file() and file.name not in OURS and not file.name.startswith(("log-", "acme.db")):
            found += leaks(f"the file {file.name}", file.read_bytes().decode(errors="replace"))
    # T54: arguments and results are the application's data, and stand in the store as they were given; nothing else.
    found += leaks("the store", dump(admin_url, but=AS_GIVEN))
    assert found == []
    # T55: a child has the environment that its worker was given for it, and no secret of Rota's.
    assert leaks("the environment of a child", (site.folder / "environ").read_text(), but=("environment",)) == []


def commands(ids):
    """Return what somebody on call might type."""
    lists = "runs rounds jobs status doctor stats metrics config.show errors.list tenants.list alerts.list"
    return [
        *((*words.split("."), "--json") for words in lists.split()),
        *((verb, run, "--json") for run in ids for verb in ("show", "logs")),
        *((verb, run) for run in ids[1:4] for verb in ("show", "logs", "explain")),
        ("runs", "-o", "csv"),
        ("errors", "list"),
        ("config", "env"),
        ("tenants", "check"),
        ("alerts", "deliveries"),
        ("alerts", "channels"),
        ("-v", "--config", "missing.toml", "runs"),
    ]


OURS = {"app.py", "given", "result", "local", "data", "enqueue.py", "environ"}
"""Files in which the test itself has put secrets, or in which its jobs did."""

AS_GIVEN = {("runs", "args"), ("runs", "result")}
"""The columns in which the store holds what it was given (T54)."""


def dump(url, *, but):
    """Return all that is in a store, without these columns."""
    engine = create_engine(url)
    lines = []
    with engine.connect() as db:
        tables = db.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        for table in tables:
            for row in db.execute(text(f'SELECT * FROM "{table}"')).mappings():
                name = table.removeprefix("rota_")
                lines.append(f"{table}: {[str(value) for key, value in row.items() if (name, key) not in but]}")
                lines += [
                    bytes(value).decode(errors="replace")
                    for value in row.values()
                    if isinstance(value, bytes | memoryview)
                ]
    engine.dispose()
    assert len(lines) > len(tables)
    return "\n".join(lines)


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql+psycopg://canary:{password}@127.0.0.1:9/x",
        "postgresql+psycopg://canary:{password}@no.such.host.invalid/x",
        "postgresql+psycopg://canary:{password}@127.0.0.1:9/x?sslmode=verify-full&sslrootcert=/missing",
        "mysql+pymysql://canary:{password}@127.0.0.1:9/x",
        "redis://:{password}@127.0.0.1:9/0",
        "nosuchthing://canary:{password}@127.0.0.1:9/x",
        "postgresql+psycopg://canary:{password}@127.0.0.1:port/x",
    ],
)
def test_a_store_that_cannot_be_reached_does_not_say_its_password(tmp_path, wrong):  # T52
    url = wrong.format(password=quote(CANARIES["store"], safe=""))
    site = Site(tmp_path / "site", url="sqlite:///unused.db", jobs="", settings="")
    environment = site.environment() | {"ROTA_STORE": url}
    site.environment = lambda: environment

    asked = [("-v", "runs"), ("doctor",), ("--json", "db", "status"), ("-v", "db", "upgrade")]
    done = site.rotas(*asked)

    for words, (code, said) in zip(asked, done, strict=True):
        assert code != 0 and said, words
        assert leaks(" ".join(words), said) == []
