"""What a run prints and logs is heard as its own, nobody else's, and is never its failure. (R44)"""

import contextvars
import io
import logging
import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rota.context import current_run
from rota.engine.capture import Captures
from rota.engine.echo import Echo
from rota.engine.tap import Tap
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.races import together
from tests.values import NOON, a_run


@pytest.fixture
def clock():
    return FakeClock()


def inside(run, work, *arguments):
    """Do work as code of a run."""

    def call():
        current_run.set(run)
        return work(*arguments)

    return contextvars.Context().run(call)


class Heard(list):
    """What a tap tells."""

    def __call__(self, run, line):
        self.append((run.id, line.level, line.source, line.text))

    def of(self, run):
        return [text for run_id, _, _, text in self if run_id == run.id]


@pytest.fixture
def heard():
    return Heard()


def owned_by(worker):
    return lambda run: run.owner == worker


def a_tap(hear, clock, **options):
    return Tap(hear, clock=clock, **options)


def test_what_a_run_prints_goes_to_its_log_and_the_rest_where_it_went(heard, clock, capsys):
    run = a_run()

    with a_tap(heard, clock):
        print("outside")
        inside(run, print, "inside")
        inside(run, lambda: print("trouble", file=sys.stderr))
    print("after")

    assert heard == [(run.id, "INFO", "stdout", "inside"), (run.id, "WARNING", "stderr", "trouble")]
    assert capsys.readouterr() == ("outside\nafter\n", "")


def test_what_a_run_logs_goes_to_its_log_from_the_level_that_is_set(heard, clock):
    run, log = a_run(), logging.getLogger("app.mail")
    log.setLevel(logging.DEBUG)

    with a_tap(heard, clock, level="INFO"):
        inside(run, log.debug, "too fine")
        inside(run, log.info, "%d mails", 3)
        inside(run, log.error, "trouble")
        log.error("outside")
    log.setLevel(logging.NOTSET)

    assert heard == [(run.id, "INFO", "app.mail", "3 mails"), (run.id, "ERROR", "app.mail", "trouble")]


def test_what_a_job_says_by_its_context_is_kept_where_logging_was_not_set_up(heard, clock):
    run, job = a_run(), logging.getLogger("rota.job")
    assert not job.isEnabledFor(logging.INFO)

    with a_tap(heard, clock):
        inside(run, job.info, "fetched")

    assert heard.of(run) == ["fetched"]
    assert not job.isEnabledFor(logging.INFO)


def test_a_record_of_many_lines_is_many_lines_with_its_traceback(heard, clock):
    run = a_run()

    def work():
        try:
            raise ValueError("bad\nworse")
        except ValueError:
            logging.getLogger("app").exception("it failed\nagain")

    with a_tap(heard, clock):
        inside(run, work)

    said = heard.of(run)
    assert said[:3] == ["it failed", "again", "Traceback (most recent call last):"]
    assert said[-2:] == ["ValueError: bad", "worse"]
    assert {level for _, level, _, _ in heard} == {"ERROR"}


def test_bytes_and_parts_of_lines_are_heard(heard, clock):
    run = a_run()

    def work():
        sys.stdout.write("a")
        sys.stdout.write("b\nc")
        sys.stderr.writelines(["d\n", "e\n"])
        sys.stdout.buffer.write(b"\xff bytes\n")
        print("no end", end="")

    with a_tap(heard, clock) as tap:
        inside(run, work)
        before = heard.of(run)
        tap.ended(run)
        tap.ended(run)

    assert before == ["ab", "d", "e", "c\\xff bytes"]
    assert heard.of(run)[len(before) :] == ["no end"]
    assert not tap._parts


def test_two_runs_that_print_at_once_never_mix(heard, clock):  # R44, T20
    runs = [a_run() for _ in range(4)]

    def work(run):
        for number in range(300):
            sys.stdout.write(f"{run.id} ")
            sys.stdout.write(f"{number}")
            print()

    with a_tap(heard, clock):
        together(*(lambda run=run: inside(run, work, run) for run in runs))

    for run in runs:
        assert heard.of(run) == [f"{run.id} {number}" for number in range(300)]


def test_the_next_run_of_the_same_thread_sees_nothing_of_the_last(heard, clock):  # T20
    first, second = a_run(), a_run()

    with a_tap(heard, clock) as tap:
        inside(first, lambda: print("half", end=""))
        tap.ended(first)
        inside(second, print, "whole")

    assert (heard.of(first), heard.of(second)) == (["half"], ["whole"])


def test_two_attempts_of_one_run_are_apart(heard, clock):
    run = a_run(token=1)
    again = a_run(id=run.id, token=2)

    with a_tap(heard, clock) as tap:
        inside(run, lambda: print("half", end=""))
        inside(again, print, "whole")
        tap.ended(run)

    assert heard.of(run) == ["whole", "half"]


def test_a_tap_may_be_opened_twice_and_closes_with_the_last(heard, clock):
    run, real = a_run(), sys.stdout
    tap = a_tap(heard, clock)

    with tap:
        with tap:
            inside(run, print, "one")
        inside(run, print, "two")

    assert sys.stdout is real
    assert heard.of(run) == ["one", "two"]


@pytest.mark.parametrize("inner_first", [True, False])
def test_of_two_taps_each_hears_the_runs_of_its_own_worker(clock, inner_first, capsys):
    real, first, second = sys.stdout, Heard(), Heard()
    mine, yours, nobodys = a_run(owner="w1"), a_run(owner="w2"), a_run(owner="w3")
    taps = [a_tap(first, clock, heeds=owned_by("w1")), a_tap(second, clock, heeds=owned_by("w2"))]
    for tap in taps:
        tap.__enter__()

    for run in (mine, yours, nobodys):
        inside(run, print, run.owner)
        inside(run, logging.getLogger("app").warning, "logged by %s", run.owner)
    for tap in reversed(taps) if inner_first else taps:
        tap.__exit__(None, None, None)
    print("after")

    assert first.of(mine) == ["w1", "logged by w1"]
    assert second.of(yours) == ["w2", "logged by w2"]
    assert (len(first), len(second)) == (2, 2)
    assert sys.stdout is real
    assert capsys.readouterr().out == "w3\nafter\n"


def test_a_tap_that_was_opened_first_may_close_first(clock):
    first, second, run = Heard(), Heard(), a_run(owner="w2")
    outer, inner = a_tap(first, clock, heeds=owned_by("w1")), a_tap(second, clock, heeds=owned_by("w2"))
    outer.__enter__()

    with inner:
        outer.__exit__(None, None, None)
        inside(run, print, "still heard")

    assert second.of(run) == ["still heard"]


def test_what_one_tap_says_in_the_log_of_the_process_is_not_heard_by_another(clock):
    first, second, lines = Heard(), Heard(), Lines()

    with log_of_a_process(lines), a_tap(first, clock), a_tap(second, clock, echo=Echo(clock=clock)):
        inside(a_run(), print, "hello")

    assert [text for _, _, _, text in second] == ["hello"]
    assert (first, len(lines.records)) == ([], 1)


def test_somebody_who_took_over_the_stream_meanwhile_keeps_it(heard, clock):
    mine = io.StringIO()
    real = sys.stdout

    with a_tap(heard, clock):
        sys.stdout = mine
    try:
        assert sys.stdout is mine
    finally:
        sys.stdout = real


def test_that_a_line_cannot_be_kept_does_not_fail_the_job(clock, caplog):
    def hear(run, line):
        raise BrokenPipeError("nobody listens")

    def work():
        print("one")
        print("two")
        logging.getLogger("app").warning("three")
        return "done"

    with a_tap(hear, clock):
        assert inside(a_run(), work) == "done"

    assert caplog.text.count("cannot be kept: BrokenPipeError") == 1


def test_a_record_that_cannot_be_written_out_does_not_fail_the_job(heard, clock, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)

    class Nasty:
        def __str__(self):
            raise RuntimeError("no text")

    def work():
        logging.getLogger("app").warning(Nasty())
        print("goes on")

    with log_of_a_process(), a_tap(heard, clock):
        inside(a_run(), work)

    assert [text for _, _, _, text in heard] == ["goes on"]


def test_a_job_can_do_to_its_streams_what_it_likes(heard, clock, capsys):
    def work():
        assert not sys.stdout.isatty()
        assert sys.stdout.writable()
        assert sys.stdout.encoding
        sys.stdout.flush()
        sys.stdout.close()
        sys.stdout.buffer.close()
        with pytest.raises(TypeError, match="must be str"):
            sys.stdout.write(b"bytes")
        print("still", flush=True)

    with a_tap(heard, clock):
        inside(a_run(), work)
        print("also outside")

    assert [text for _, _, _, text in heard] == ["still"]
    assert capsys.readouterr().out == "also outside\n"


def test_a_finalizer_that_prints_blocks_nobody(clock):
    store = MemoryStore()
    run = a_run()
    store.enqueue([run], now=NOON)
    captures = Captures(store)

    class Loud:
        def __del__(self):
            print("gone")

    def hear(run, line):
        with captures._lock:
            loud = Loud()
            del loud
            captures.add(run, line)

    with a_tap(hear, clock):
        inside(run, print, "one")
    captures.tick(NOON)

    assert [line.text for chunk in store.log(run.id) for line in chunk.lines] == ["one"]


# --- the log of the process ---


@contextmanager
def log_of_a_process(*handlers):
    """A process that has set up these log handlers. Not a fixture: pytest adds its own to a test as it begins."""
    root = logging.getLogger()
    before, root.handlers[:] = root.handlers[:], handlers
    try:
        yield
    finally:
        root.handlers[:] = before


class Lines(logging.Handler):
    """A handler of the application's own."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


def test_what_a_run_prints_is_in_the_log_of_the_process_with_job_and_tenant(heard, clock):
    run, lines = a_run(tenant="acme"), Lines()

    with log_of_a_process(lines), a_tap(heard, clock, echo=Echo(clock=clock)):
        inside(run, print, "100% done")
        inside(run, lambda: print("trouble", file=sys.stderr))

    told = [(record.name, record.levelname, record.getMessage()) for record in lines.records]
    assert told == [("rota.job.stdout", "INFO", "100% done"), ("rota.job.stderr", "WARNING", "trouble")]
    assert {(record.run, record.job, record.tenant) for record in lines.records} == {(run.id, "report", "acme")}
    assert heard.of(run) == ["100% done", "trouble"]


def test_a_flood_is_thinned_out_in_the_log_of_the_process_and_counted(heard, clock):  # F21
    flooding, quiet = a_run(), a_run()
    echo, lines = Echo(clock=clock, a_second=10), Lines()

    with log_of_a_process(lines), a_tap(heard, clock, echo=echo) as tap:
        for number in range(1000):
            inside(flooding, print, number)
        inside(quiet, print, "hello")
        clock.tick(timedelta(seconds=2))
        inside(flooding, print, "again")
        for number in range(100):
            inside(flooding, print, number)
        tap.ended(flooding)

    told = [record.getMessage() for record in lines.records]
    assert told[:11] == [*map(str, range(10)), "hello"]
    assert "990 lines of this run are left out" in told[11]
    assert told[12] == "again"
    assert "91 lines of this run are left out" in told[-1]
    assert len(heard.of(flooding)) == 1101
    assert not echo._allowances._by_attempt.keys() - {(quiet.id, quiet.token)}


def test_where_nobody_has_set_up_logging_printed_lines_are_seen_as_ever(heard, clock, capsys):
    with log_of_a_process(), a_tap(heard, clock, echo=Echo(clock=clock)):
        inside(a_run(), print, "hello")
        inside(a_run(), lambda: print("trouble", file=sys.stderr))

    assert capsys.readouterr() == ("hello\n", "trouble\n")


def test_where_nobody_has_set_up_logging_warnings_are_seen_as_ever(heard, clock, capsys):
    run = a_run()

    with log_of_a_process(), a_tap(heard, clock):
        logging.getLogger("app").warning("outside")
        logging.getLogger("app").info("fine")
        inside(run, logging.getLogger("app").warning, "inside")

    assert capsys.readouterr().err == "outside\ninside\n"
    assert heard.of(run) == ["inside"]


def test_a_log_handler_made_while_the_tap_is_open_doubles_nothing(heard, clock, capsys):
    run = a_run()
    with log_of_a_process(), a_tap(heard, clock, echo=Echo(clock=clock)):
        logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))

        inside(run, logging.getLogger("app").warning, "logged")
        inside(run, print, "printed")

    assert heard.of(run) == ["logged", "printed"]
    assert capsys.readouterr().err == "logged\nprinted\n"


def test_a_handler_that_prints_itself_does_not_go_round_in_circles(heard, clock, capsys):
    class Printing(logging.Handler):
        def emit(self, record):
            print("seen:", record.getMessage())

    run = a_run()
    with log_of_a_process(), a_tap(heard, clock, echo=Echo(clock=clock)):
        logging.getLogger().addHandler(Printing())
        inside(run, print, "hello")

    assert heard.of(run) == ["hello"]
    assert capsys.readouterr().out == "seen: hello\n"
