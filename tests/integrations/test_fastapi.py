"""Rota in a FastAPI application: its life, who asks, and enqueues that block nobody."""

import asyncio
import sys
import threading
from contextlib import asynccontextmanager
from types import ModuleType

import anyio
import pytest
from anyio import CancelScope
from fastapi import Depends, FastAPI, WebSocket
from fastapi.requests import HTTPConnection
from starlette.testclient import TestClient

from rota import JobContext, Rota, State, testing
from rota.errors import ConfigurationError, NoJobContext, SchemaMismatch, StoreUnavailable
from rota.integrations.fastapi import Jobs, RequestJobs, RequestMiddleware, lifespan, request_jobs
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.contract.flaky import Moment, flaky


@pytest.fixture
def rota():
    rota = Rota("memory://")
    rota.carry_job_context(attributes=["agency"])

    @rota.job()
    def who(number: int = 0) -> str:
        context = JobContext.current()
        return f"{number}: {context.user_id} of {context.attributes['agency']}"

    return rota


def context_of(connection: HTTPConnection) -> JobContext:
    agency = connection.headers.get("x-agency")
    return JobContext(user_id=getattr(connection.state, "user", None), attributes={"agency": agency})


def current_user(connection: HTTPConnection) -> None:
    connection.state.user = connection.headers.get("x-user")


def an_application(rota, **life):
    """Return an application whose endpoints enqueue in every way there is."""
    application = FastAPI(lifespan=lifespan(rota, **life), dependencies=[Depends(current_user)])
    application.add_middleware(RequestMiddleware, context=context_of)
    who = rota.jobs["who"]

    @application.post("/asked/{number}")
    async def asked(number: int, jobs: Jobs) -> str:
        return (await jobs.aenqueue(who, number)).id

    @application.post("/plain/{number}")
    def plain(number: int, jobs: Jobs) -> str:
        return jobs.enqueue(who, number).id

    @application.post("/direct/{number}")
    async def direct(number: int) -> str:
        return (await who.aenqueue(number)).id

    @application.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text((await who.aenqueue(3)).id)
        await socket.close()

    return application


ANA = {"X-User": "ana", "X-Agency": "north"}


@pytest.mark.parametrize("path", ["/asked/3", "/plain/3", "/direct/3"])
def test_a_job_knows_who_asked_in_which_request(rota, path):  # R37
    with testing.capture(rota) as jobs, TestClient(an_application(rota)) as browser:
        browser.post(path, headers=ANA)
        [run] = jobs.drain()

    assert run.result == '"3: ana of north"'


def test_a_job_knows_who_asked_over_a_web_socket(rota):
    with testing.capture(rota) as jobs, TestClient(an_application(rota)) as browser:
        with browser.websocket_connect("/socket", headers=ANA) as socket:
            socket.receive_text()
        [run] = jobs.drain()

    assert run.result == '"3: ana of north"'


def test_what_enqueues_for_an_endpoint_can_be_overridden(rota):
    class Refuses(RequestJobs):
        async def aenqueue(self, job, *args, **kwargs):
            raise StoreUnavailable("sqlite:///rota.db", "away")

    application = an_application(rota)
    application.dependency_overrides[request_jobs] = Refuses

    with TestClient(application) as browser, pytest.raises(StoreUnavailable):
        browser.post("/asked/3")


def test_what_a_test_has_captured_is_left_to_it_also_where_the_application_works(rota):
    with testing.capture(rota) as jobs, TestClient(an_application(rota, works=True)) as browser:
        browser.post("/asked/3", headers=ANA)
        [run] = jobs.drain()

    assert run.result == '"3: ana of north"'


def test_after_a_request_there_is_no_context():
    async def answer(scope, receive, send):
        assert JobContext.from_request().attributes["agency"] == "north"

    async def ask():
        await RequestMiddleware(answer, context=context_of)(
            {"type": "http", "headers": [(b"x-agency", b"north")]}, None, None
        )
        with pytest.raises(NoJobContext, match="no web request here"):
            JobContext.from_request()

    asyncio.run(ask())


def test_requests_that_are_answered_at_once_do_not_meet():
    async def answer(scope, receive, send):
        await asyncio.sleep(0)
        answers.append(JobContext.from_request().attributes["agency"])

    async def ask():
        middleware = RequestMiddleware(answer, context=context_of)
        scopes = [{"type": "http", "headers": [(b"x-agency", name)]} for name in (b"north", b"south")]
        await asyncio.gather(*(middleware(scope, None, None) for scope in scopes))

    answers: list[str] = []
    asyncio.run(ask())

    assert answers == ["north", "south"]


def test_a_request_of_nobody_has_no_context():
    async def answer(scope, receive, send):
        JobContext.from_request()

    middleware = RequestMiddleware(answer, context=lambda connection: None)

    with pytest.raises(NoJobContext):
        asyncio.run(middleware({"type": "http"}, None, None))


def test_what_is_no_context_is_refused_with_the_name_of_who_said_it():
    def of_a_dict(connection):
        return {"user": "ana"}

    async def answer(scope, receive, send):
        JobContext.from_request()

    with pytest.raises(ConfigurationError, match=r"of_a_dict returned dict: a JobContext is due"):
        asyncio.run(RequestMiddleware(answer, context=of_a_dict)({"type": "http"}, None, None))


def test_a_store_that_takes_its_time_keeps_no_other_request_waiting():
    client, line = flaky(MemoryStore())
    job = Rota(client).job(name="job")(lambda: None)
    hold = line.delay("enqueue", Moment.BEFORE)

    async def enqueue():
        asked = asyncio.create_task(RequestJobs().aenqueue(job))
        # The event loop comes to this while the store is still at it.
        await asyncio.to_thread(hold.wait_for_it)
        hold.let_go()
        return await asked

    assert asyncio.run(enqueue()).state is State.QUEUED


# --- its life ---


def test_it_works_for_as_long_as_the_application_lives_and_again(rota):
    for _ in range(2):
        with TestClient(an_application(rota, works=True)) as browser:
            run = rota.run(browser.post("/asked/3", headers=ANA).json())
            assert run.result(timeout="10s") == "3: ana of north"

    assert [run.state for run in rota.store.runs(RunQuery())] == [State.SUCCEEDED] * 2


def test_what_the_application_opened_is_there_until_the_last_run_has_ended(rota, monkeypatch):
    seen = []
    begun, goes_on = threading.Event(), threading.Event()
    close = rota.close
    monkeypatch.setattr(rota, "close", lambda: (goes_on.set(), close()))

    @rota.job()
    def long() -> None:
        begun.set()
        goes_on.wait(10)
        seen.append("run ended")

    @asynccontextmanager
    async def around(application):
        seen.append("opened")
        yield {"mailer": "open"}
        seen.append("closed")

    with TestClient(an_application(rota, around=around, works=True)) as browser:
        assert browser.app_state == {"mailer": "open"}
        long.enqueue()
        assert begun.wait(10)

    assert seen == ["opened", "run ended", "closed"]


def test_a_server_that_cancels_its_application_leaves_nothing_working(rota):
    async def serve():
        with CancelScope() as scope:
            async with lifespan(rota, works=True)(FastAPI()):
                scope.cancel()
                await anyio.sleep_forever()

    asyncio.run(serve())
    rota.start_background()  # is refused while it works already

    assert rota.stop()


def test_a_store_that_is_away_is_waited_for(tmp_path, caplog):
    away = Rota(f"sqlite:///{tmp_path}/folder/rota.db")

    with TestClient(FastAPI(lifespan=lifespan(away))):
        assert "the store is away" in caplog.text

    with pytest.raises(StoreUnavailable), TestClient(FastAPI(lifespan=lifespan(away, works=True))):
        pass


def test_a_store_that_must_not_be_used_ends_the_start(rota, monkeypatch):
    def refuse():
        raise SchemaMismatch("older than the code")

    monkeypatch.setattr(rota._keeping, "store", refuse)

    with pytest.raises(SchemaMismatch), TestClient(an_application(rota)):
        pass


# --- imported twice ---


@pytest.fixture
def imported(monkeypatch):
    """Import the file of an application under a name, and return what that made."""

    def imported(name):
        module = ModuleType(name)
        module.__file__, module.rota = "/srv/shop/main.py", Rota("memory://")
        monkeypatch.setitem(sys.modules, name, module)
        return module.rota

    return imported


def test_an_application_that_was_imported_twice_is_refused_with_both_names(imported):
    imported("shop_main")
    other = imported("shop_of.main")

    with (
        pytest.raises(ConfigurationError, match=r"imported twice, as 'shop_of\.main' and as 'shop_main'"),
        TestClient(FastAPI(lifespan=lifespan(other))),
    ):
        pass


def test_a_script_that_starts_the_server_by_name_is_no_copy(imported):
    imported("__main__")
    served = imported("shop_main")

    with TestClient(FastAPI(lifespan=lifespan(served))):
        pass


def test_an_application_that_is_a_script_is_no_other_than_what_its_jobs_import(imported):
    imported("shop_main")
    served = imported("__main__")

    with (
        pytest.raises(ConfigurationError, match="as '__main__' and as 'shop_main'"),
        TestClient(FastAPI(lifespan=lifespan(served))),
    ):
        pass
