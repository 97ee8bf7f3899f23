"""What is carried from an enqueue into the run: by the application, in each executor (R37)."""

import contextvars
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from rota import Retry, Rota, RunContext, State, every
from rota.carrying import Carriers
from rota.errors import ArgumentsNotJson, BadArguments, ConfigurationError
from rota.queries import RunQuery
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, runs_of
from tests.values import HOUR

ONCE = Retry(attempts=1)
locale = contextvars.ContextVar("locale", default="none")


@contextmanager
def speaking(value):
    token = locale.set(value)
    try:
        yield
    finally:
        locale.reset(token)


def a_polyglot(seen: list[str]) -> tuple[Rota, Driven]:
    """Return an application that carries the locale, with a job that notes in which one it runs."""
    clock = FakeClock()
    app = an_app(clock=clock)
    app.carry("locale", get=lambda: None if locale.get() == "none" else locale.get(), enter=speaking)

    @app.job(retry=ONCE)
    def greet() -> None:
        seen.append(locale.get())

    @app.job(retry=ONCE)
    async def agreet() -> None:
        seen.append(locale.get())

    @app.job(retry=ONCE)
    def fail() -> None:
        seen.append(locale.get())
        raise ValueError("no")

    @app.job(retry=ONCE)
    def pass_on() -> None:
        app.jobs["greet"].enqueue()

    @app.job(schedule=every().hour.at(":00"), retry=ONCE)
    def planned(ctx: RunContext) -> None:
        seen.append(f"planned: {locale.get()} {ctx.carried}")

    return app, Driven(app, clock)


@pytest.mark.parametrize("name", ["greet", "agreet"])
def test_a_run_has_what_was_current_where_it_was_enqueued(name):
    seen: list[str] = []
    app, process = a_polyglot(seen)

    for value in ("fr", "de"):
        with speaking(value):
            app.jobs[name].enqueue()
    process.settle_down()

    assert seen == ["fr", "de"]


def test_a_failure_leaves_nothing_to_the_next_run():
    seen: list[str] = []
    app, process = a_polyglot(seen)

    with speaking("fr"):
        app.jobs["fail"].enqueue()
    app.jobs["greet"].enqueue()
    process.settle_down()

    assert seen == ["fr", "none"]
    assert locale.get() == "none"


def test_a_run_that_enqueues_hands_on_what_it_has():
    seen: list[str] = []
    app, process = a_polyglot(seen)

    with speaking("fr"):
        app.jobs["pass_on"].enqueue()
    process.settle_down()

    assert seen == ["fr"]


def test_runs_of_schedules_carry_nothing():
    seen: list[str] = []
    _, process = a_polyglot(seen)

    with speaking("fr"):
        process.advance(HOUR)

    assert seen == ["planned: none {}"]


def test_the_context_gives_the_values():
    clock = FakeClock()
    app = an_app(clock=clock)
    app.carry("request_id", get=lambda: 17)
    seen = []

    @app.job()
    def note(ctx: RunContext) -> None:
        seen.append(ctx.carried["request_id"])

    note.enqueue()
    Driven(app, clock).settle_down()

    assert seen == [17]


def test_a_plain_setter_will_do_since_each_run_has_a_context_of_its_own():
    clock = FakeClock()
    app = an_app(clock=clock)
    app.carry("locale", get=lambda: "fr", enter=locale.set)
    seen = []

    @app.job()
    def note() -> None:
        seen.append(locale.get())

    note.enqueue()
    Driven(app, clock).settle_down()

    assert (seen, locale.get()) == (["fr"], "none")


def test_what_is_entered_first_is_left_last_around_what_wraps_the_run():
    clock = FakeClock()
    app = an_app(clock=clock)
    order: list[str] = []

    def noting(name):
        @contextmanager
        def enter(_):
            order.append(f"+{name}")
            try:
                yield
            finally:
                order.append(f"-{name}")

        return enter

    app.carry("a", get=lambda: 1, enter=noting("a"))
    app.carry("b", get=lambda: 1, enter=noting("b"))
    app.around(noting("around"))

    @app.job(retry=ONCE)
    def work() -> None:
        order.append("work")
        raise SystemExit

    work.enqueue()
    Driven(app, clock).settle_down()

    assert order == ["+a", "+b", "+around", "work", "-around", "-b", "-a"]


def test_what_cannot_be_entered_fails_the_attempt_and_not_the_worker():
    clock = FakeClock()
    app = an_app(clock=clock)
    app.carry("locale", get=lambda: "fr", enter=lambda value: (letter for letter in value))

    @app.job(retry=ONCE)
    def work() -> None: ...

    work.enqueue()
    Driven(app, clock).settle_down()

    [run] = runs_of(app)
    assert run.state is State.FAILED
    assert "enter returned generator, which is no context manager" in run.error.message


def test_what_nobody_here_declares_is_left_alone_and_a_text_of_another_version_fails_the_attempt():
    clock = FakeClock()
    app = an_app(clock=clock)
    seen = []

    @app.job(retry=ONCE)
    def work(ctx: RunContext) -> None:
        seen.append(ctx.carried)

    known = replace(_made(app, work), carried='{"version":1,"values":{"theirs":1}}')
    later = replace(_made(app, work), carried='{"version":9,"values":{}}')
    app.store.enqueue([known, later], now=clock.now())
    Driven(app, clock).settle_down()

    assert seen == [{"theirs": 1}]
    run = app.store.run(later.id).run
    assert "version 9" in run.error.message


def _made(app, job):
    handle = job.enqueue()
    run = handle.refresh()
    handle.cancel()
    return replace(run, id=app.clock.new_id())


def test_what_is_carried_has_to_have_a_json_form_or_nothing_is_enqueued():
    app = an_app()
    app.carry("request", get=lambda: {"raw": object()})

    @app.job()
    def work() -> None: ...

    with pytest.raises(ArgumentsNotJson, match=r"carried 'request'\.raw"):
        work.enqueue()
    assert app.store.runs(RunQuery()) == []


def test_arguments_and_what_is_carried_share_one_limit():
    app = an_app()
    app.carry("blob", get=lambda: "x" * 40_000)

    @app.job()
    def work(text: str) -> None: ...

    work.enqueue("y" * 20_000)
    with pytest.raises(BadArguments, match=r"arguments are 30,\d+ bytes of JSON and what is carried 40,\d+"):
        work.enqueue("y" * 30_000)
    assert len(app.store.runs(RunQuery())) == 1


def test_an_error_of_get_says_who_asked():
    app = an_app()

    def broken() -> object:
        raise LookupError("no request")

    app.carry("request", get=broken)

    @app.job()
    def work() -> None: ...

    with pytest.raises(LookupError, match="no request") as raised:
        work.enqueue()
    assert raised.value.__notes__ == ["raised by get of rota.carry('request'), which is asked at each enqueue"]


async def coroutine(_=None): ...


def generator(_):
    yield


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "taken"}, "carried already"),
        ({"name": "new", "get": 1}, "get is to be a plain function"),
        ({"name": "new", "get": coroutine}, "get is to be a plain function"),
        ({"name": "new", "enter": generator}, "contextlib.contextmanager"),
        ({"name": "new", "enter": coroutine}, "contextlib.contextmanager"),
    ],
)
def test_what_could_never_work_is_refused_where_it_is_declared(fields, reason):
    carriers = Carriers()
    carriers.carry("taken", get=lambda: 1)

    with pytest.raises(ConfigurationError, match=reason):
        carriers.carry(**{"get": lambda: 1} | fields)
