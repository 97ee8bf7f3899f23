"""Log records of runs, in applications that set up logging themselves (R44, R65)."""

import asyncio
import contextvars
import io
import json
import logging
import logging.config
import threading

import pytest
import structlog

from rota.context import current_run
from rota.logs import ConsoleLine, JsonLine, Redacted, RunFacts, run_facts
from rota.redaction import WITHHELD, keep_secret, name_secrets
from tests.payloads import CONTROL, PAYLOADS
from tests.values import a_run

RUN = a_run(tenant="acme", attempt=2)
FACTS = {"run": RUN.id, "job": "report", "tenant": "acme", "attempt": 2}


@pytest.fixture
def written(request):
    """What a handler of an application's own writes, with the formatter that the test asks for."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RunFacts())
    logger = logging.getLogger("the.application")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger, handler, stream
    logger.removeHandler(handler)
    logger.propagate = True


def inside(run, call):
    def entered():
        current_run.set(run)
        return call()

    return contextvars.Context().run(entered)


def test_an_application_that_sets_up_logging_itself_has_the_run_on_each_record(written):  # R44
    logger, handler, stream = written
    handler.setFormatter(logging.Formatter("%(job)s %(tenant)s %(attempt)s %(message)s"))

    inside(RUN, lambda: logger.info("fetched"))
    logger.info("outside")

    assert stream.getvalue() == "report acme 2 fetched\nNone None None outside\n"


def test_the_filter_can_be_named_in_a_configuration():
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"run": {"()": "rota.logs.RunFacts"}},
        "formatters": {"json": {"()": "rota.logs.JsonLine"}},
        "handlers": {"out": {"class": "logging.NullHandler", "filters": ["run"], "formatter": "json"}},
        "loggers": {"configured": {"handlers": ["out"]}},
    }

    logging.config.dictConfig(config)

    [handler] = logging.getLogger("configured").handlers
    assert isinstance(handler.formatter, JsonLine)
    assert isinstance(handler.filters[0], RunFacts)


@pytest.fixture
def structured():
    """structlog as its manual has it, with our processor."""
    stream = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.add_log_level, run_facts, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    yield stream
    structlog.reset_defaults()


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_structlog_says_in_threads_which_run_it_is(structured):  # R44
    runs = [a_run(job=f"job{number}", tenant="acme") for number in range(4)]
    barrier = threading.Barrier(4)

    def work(run):
        current_run.set(run)
        barrier.wait()
        structlog.get_logger().info("fetched", rows=3)

    threads = [threading.Thread(target=work, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {line["job"]: line["run"] for line in lines(structured)} == {run.job: run.id for run in runs}


def test_structlog_says_in_coroutines_which_run_it_is(structured):  # R44
    runs = [a_run(job=f"job{number}") for number in range(4)]

    async def work(run):
        current_run.set(run)
        await asyncio.sleep(0)
        structlog.get_logger().info("fetched")

    async def all_of_them():
        await asyncio.gather(*(work(run) for run in runs))

    asyncio.run(all_of_them())

    assert {line["job"]: line["run"] for line in lines(structured)} == {run.job: run.id for run in runs}


def test_structlog_outside_of_runs_says_nothing_of_them(structured):
    structlog.get_logger().info("fetched", job="mine")

    assert lines(structured) == [{"event": "fetched", "job": "mine", "level": "info"}]


def test_structlog_by_way_of_logging_comes_with_the_run(written):  # R44
    logger, handler, stream = written
    handler.setFormatter(JsonLine())
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        inside(RUN, lambda: structlog.get_logger(logger.name).info("fetched", rows=3))
    finally:
        structlog.reset_defaults()

    [told] = lines(stream)
    assert {name: told[name] for name in (*FACTS, "message", "rows")} == FACTS | {"message": "fetched", "rows": 3}


def a_record(message, *args, **facts):
    record = logging.LogRecord("the.application", logging.INFO, __file__, 1, message, args, None)
    vars(record).update(facts)
    return record


@pytest.mark.parametrize("text", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("form", [ConsoleLine(), JsonLine()], ids=["text", "json"])
def test_each_record_is_one_line_without_control_characters(form, text):  # T31
    line = form.format(a_record("said %s", text, job=text, tenant=text, worker=text))

    assert line.isprintable()


@pytest.mark.parametrize("text", CONTROL.values(), ids=CONTROL)
def test_json_lines_give_the_text_back_as_it_was(text):  # T31: exact JSON
    told = json.loads(JsonLine().format(a_record("said %s", text, tenant=text)))

    assert told["message"] == f"said {text}"
    assert told["tenant"] == text


@pytest.mark.parametrize("text", CONTROL.values(), ids=CONTROL)
def test_no_line_of_a_traceback_passes_for_a_record(text):  # T31
    record = a_record("failed")
    try:
        raise ValueError(text)
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)

    first, *rest = ConsoleLine().format(record).split("\n")

    assert "failed" in first
    assert all(line.startswith("  ") and line.replace("\t", "").isprintable() for line in rest)


def test_what_a_field_of_a_record_names_secret_is_not_shown():  # T51
    name_secrets(["badge"])
    told = json.loads(JsonLine().format(a_record("x", api_key="abc", badge="17", rows=3, ratio=float("nan"))))

    assert (told["api_key"], told["badge"], told["rows"], told["ratio"]) == ("***", "***", 3, "nan")


def test_a_secret_that_no_text_alone_holds_closes_the_line(written):  # T53
    keep_secret("41521938")

    line = JsonLine().format(a_record("x", rows=41521938))

    assert "41521938" not in line
    assert json.loads(line)["message"] == WITHHELD


def test_a_record_whose_arguments_do_not_fit_shows_none_of_them():  # T51
    line = ConsoleLine().format(a_record("%d rows for %s", "hunter2"))

    assert "hunter2" not in line
    assert "do not fit" in line


def test_what_another_formatter_makes_is_redacted_too(written):  # T53
    logger, handler, stream = written
    keep_secret("hunter2-and-more")
    handler.setFormatter(Redacted(logging.Formatter("%(message)s")))

    logger.error("it is hunter2-and-more")

    assert stream.getvalue() == "it is ***\n"
