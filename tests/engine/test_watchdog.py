"""What did not happen in time is noticed, told once, and told again when it has come right."""

import msgspec
import pytest

from rota import Retry, every
from rota.core.events import ClockStepped, FreshnessChanged, ScheduleFresh, ScheduleLate, ScheduleStale
from rota.core.freshness import Freshness
from rota.engine.last_known import Fallback, LastKnown, write_atomically
from rota.errors import StoreUnavailable
from rota.lookouts import make_watchdog
from rota.queries import FlipQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app
from tests.values import DAY, HOUR, MINUTE, NOON


class Kennel:
    """An application with an hourly job, and a watchdog of it."""

    def __init__(self, *, tenants=("acme",), state_file=None, store=None, clock=None):
        self.clock = clock or FakeClock()
        self.app = an_app(clock=self.clock, store=store, tenants=tenants)
        self.fails = set()
        self.heard = []
        self.told = []

        @self.app.job(schedule=every().hour.at(":00"), per_tenant=True, timeout="5m", retry=Retry(attempts=1))
        def report(tenant_id: str = "") -> None:
            if self.fails:
                raise RuntimeError("broken")

        self.app.on(FreshnessChanged)(self.heard.append)
        self.process = Driven(self.app, self.clock)
        self.state_file = state_file
        self.dog = self.new_dog()

    def new_dog(self, **fields):
        known = Fallback(LastKnown(self.state_file), bus=self.app.bus) if self.state_file else None
        return make_watchdog(self.app.premises(), fallback=known, **fields)

    def look(self, **fields):
        return self.dog.look(self.clock.now(), **fields)

    def states(self):
        return {pair.tenant: str(pair.state) for pair in self.app.store.freshness.pairs()}

    def kinds(self):
        return [(type(event).__name__, event.tenant) for event in self.heard]


def test_what_never_ran_is_new_until_its_first_slot_had_time():  # R51
    kennel = Kennel(tenants=("acme", "hooli"))
    kennel.process.settle_down()

    kennel.look()

    assert kennel.states() == {"acme": "new", "hooli": "new"}


def test_a_success_makes_fresh_and_is_told():  # R51
    kennel = Kennel()
    kennel.process.settle_down()
    kennel.look()

    kennel.process.advance(HOUR)
    kennel.look()

    assert kennel.states() == {"acme": "fresh"}
    assert kennel.kinds() == [("ScheduleFresh", "acme")]


def a_fresh_kennel(**fields):
    kennel = Kennel(**fields)
    kennel.process.settle_down()
    kennel.look()
    kennel.process.advance(HOUR)
    kennel.look()
    kennel.heard.clear()
    return kennel


def test_silence_is_late_then_stale_and_each_is_told_once():  # R51, fault row H5
    kennel = a_fresh_kennel()

    for _ in range(4 * 60):
        kennel.clock.tick(MINUTE)
        kennel.look()

    assert kennel.kinds() == [("ScheduleLate", "acme"), ("ScheduleStale", "acme")]
    late, stale = kennel.heard
    assert (late.at, stale.at) == (NOON + 2 * HOUR + 5 * MINUTE, NOON + 3 * HOUR + 15 * MINUTE)
    assert (stale.job, stale.last_success, stale.stale_at) == ("report", NOON + HOUR, stale.at)
    assert [str(flip.after) for flip in kennel.app.store.freshness.flips(FlipQuery())] == ["stale", "late", "fresh"]


def test_an_age_that_a_schedule_is_given_holds_from_then_on_and_makes_nothing_late_by_itself():  # R5, R51
    kennel = a_fresh_kennel()
    kennel.clock.tick(30 * MINUTE)

    kennel.app.schedules.override("report", fresh_within="10m", actor="ana")
    kennel.look()
    assert (kennel.states(), kennel.kinds()) == ({"acme": "fresh"}, [])

    kennel.clock.tick(35 * MINUTE)
    kennel.look()
    assert kennel.kinds() == [("ScheduleStale", "acme")]


def test_a_failure_is_no_proof_and_a_recovery_is_told():  # R51
    kennel = a_fresh_kennel()
    kennel.fails.add("now")
    kennel.process.advance(2 * HOUR + 20 * MINUTE)
    kennel.look()
    assert kennel.states() == {"acme": "stale"}

    kennel.fails.clear()
    kennel.process.advance(HOUR)
    kennel.look()

    assert kennel.states() == {"acme": "fresh"}
    assert [type(event) for event in kennel.heard] == [ScheduleStale, ScheduleFresh]


def test_of_two_watchdogs_one_tells():  # R51
    kennel = a_fresh_kennel()
    other = kennel.new_dog()
    other.look(kennel.clock.now())
    kennel.clock.tick(5 * HOUR)

    kennel.look()
    other.look(kennel.clock.now())

    assert kennel.kinds() == [("ScheduleStale", "acme")]


def test_a_watchdog_that_starts_anew_does_not_tell_again():  # R51
    kennel = a_fresh_kennel()
    kennel.clock.tick(5 * HOUR)
    kennel.look()

    kennel.new_dog().look(kennel.clock.now())

    assert kennel.kinds() == [("ScheduleStale", "acme")]


def test_one_tenant_is_late_and_the_others_are_not():  # R21, R51
    kennel = a_fresh_kennel(tenants=("acme", "hooli"))
    kennel.app.pauses.pause("tenant", "hooli", reason="moves", actor="ana")
    kennel.look()

    kennel.clock.tick(5 * HOUR)
    kennel.look()

    assert kennel.states() == {"acme": "stale", "hooli": "paused"}
    assert [event.tenant for event in kennel.heard if isinstance(event, ScheduleStale)] == ["acme"]


@pytest.mark.parametrize(("kind", "name"), [("job", "report"), ("tenant", "acme"), ("queue", "default")])
def test_what_is_paused_is_not_late_and_goes_on_from_its_resumption(kind, name):  # R12, R51
    kennel = a_fresh_kennel()
    kennel.app.pauses.pause(kind, name, reason="migration", actor="ana")
    kennel.look()
    kennel.clock.tick(3 * DAY)
    kennel.look()
    assert kennel.states() == {"acme": "paused"}

    kennel.app.pauses.resume(kind, name)
    kennel.look()

    assert kennel.states() == {"acme": "fresh"}
    assert kennel.kinds() == [("FreshnessChanged", "acme")] * 2


def test_a_paused_schedule_is_paused():  # R12, R51
    kennel = a_fresh_kennel()
    kennel.app.schedules.pause("report", reason="migration", actor="ana")

    kennel.look()

    assert kennel.states() == {"acme": "paused"}


def test_new_tenants_come_and_those_that_left_go():  # R20, R51
    tenants = ["acme"]
    kennel = a_fresh_kennel(tenants=lambda: tenants)
    tenants[:] = ["hooli"]
    kennel.clock.tick(6 * MINUTE)

    kennel.look()

    assert kennel.states() == {"hooli": "new"}


def test_who_cannot_be_listed_stays_watched():  # R20, R51
    tenants = ["acme"]
    kennel = a_fresh_kennel(tenants=lambda: tenants)
    tenants.clear()
    kennel.clock.tick(5 * HOUR)

    kennel.look()

    assert kennel.states() == {"acme": "stale"}


def test_a_schedule_that_is_gone_is_watched_no_more():  # R51
    kennel = a_fresh_kennel()
    kennel.app.store.drop_schedule("report")

    kennel.look()

    assert kennel.states() == {}


def test_marked_success_makes_fresh():  # R14, R51
    kennel = a_fresh_kennel()
    kennel.clock.tick(5 * HOUR)
    kennel.look()

    kennel.app.mark_success("report", actor="ana")
    kennel.look()

    assert kennel.states() == {"acme": "fresh"}


def test_a_manual_run_proves_no_slot():  # R12, R51
    kennel = a_fresh_kennel()
    kennel.clock.tick(5 * HOUR)
    kennel.look()

    kennel.app.jobs["report"].using(tenant="acme").enqueue()
    kennel.process.crew.worker.tick(kennel.clock.now())
    kennel.look()

    assert kennel.states() == {"acme": "stale"}


def test_with_nothing_due_a_pass_writes_nothing():  # R51
    kennel = a_fresh_kennel()
    verbs = []
    real = kennel.app.store.freshness

    class Counting:
        def __getattr__(self, verb):
            verbs.append(verb)
            return getattr(real, verb)

    kennel.app.store.freshness = Counting()
    kennel.clock.tick(MINUTE)
    kennel.look()

    assert verbs == ["looks"]


def test_a_script_that_says_that_it_failed_is_stale_at_once_and_fresh_when_it_succeeds():  # R51
    kennel = Kennel()
    kennel.app.watch("dump", schedule="daily at 03:00")
    kennel.dog = kennel.new_dog()
    kennel.app.pings.record("dump")
    kennel.look()
    kennel.heard.clear()

    kennel.app.pings.record("dump", "fail", text="disk full")
    kennel.look()
    kennel.look()
    kennel.app.pings.record("dump", "success")
    kennel.look()

    assert [(type(event), event.job, event.reason) for event in kennel.heard] == [
        (ScheduleStale, "dump", "it said that it failed"),
        (ScheduleFresh, "dump", None),
    ]


# --- the clock ---


@pytest.mark.parametrize("by", [365 * DAY, HOUR, -HOUR, -365 * DAY])
def test_a_clock_that_is_moved_makes_no_storm(by):  # R51, fault row H8
    kennel = a_fresh_kennel(tenants=tuple(f"t{number}" for number in range(50)))
    steps = []
    kennel.app.on(ClockStepped)(steps.append)

    kennel.clock.anchor(kennel.clock.now() + by)
    found = kennel.look(is_whole=True)

    assert [event for event in kennel.heard if isinstance(event, ScheduleLate | ScheduleStale)] == []
    assert found.clock.startswith("the clock moved by")
    assert [step.by for step in steps] == [by]


def test_what_does_not_succeed_by_the_new_time_is_called_stale_after_all():  # R51, fault row H8
    kennel = a_fresh_kennel()
    kennel.clock.anchor(kennel.clock.now() + 10 * HOUR)
    kennel.look()

    kennel.clock.tick(15 * MINUTE)
    found = kennel.look(is_whole=True)

    assert found.clock == ""
    assert kennel.kinds() == [("ScheduleStale", "acme")]


def test_what_succeeds_by_the_new_time_is_never_called_stale():  # R51, fault row H8
    kennel = a_fresh_kennel()
    kennel.clock.anchor(kennel.clock.now() + 10 * HOUR)
    kennel.look()

    kennel.process.settle_down()
    kennel.clock.tick(15 * MINUTE)
    kennel.look()

    assert kennel.states() == {"acme": "fresh"}
    assert kennel.kinds() == []


def test_a_success_in_a_future_that_was_taken_back_is_no_proof():  # R51, fault row H8
    kennel = a_fresh_kennel()
    kennel.clock.anchor(kennel.clock.now() + 365 * DAY)
    kennel.process.settle_down()
    kennel.clock.anchor(NOON + HOUR)
    kennel.look()

    for _ in range(4):
        kennel.clock.tick(HOUR)
        kennel.look()

    assert kennel.states() == {"acme": "stale"}


def test_a_watchdog_that_starts_before_its_last_look_says_that_the_clock_moved(tmp_path):  # R51, fault row H8
    kennel = a_fresh_kennel(state_file=tmp_path / "known.json")
    kennel.look(is_whole=True)
    kennel.clock.anchor(kennel.clock.now() - 2 * HOUR)

    found = kennel.new_dog().look(kennel.clock.now(), is_whole=True)

    assert found.clock == "the clock moved by -2:00:00"


# --- the last-known file ---


class Away:
    """A store that can be taken away."""

    def __init__(self, real):
        self.real = real
        self.is_away = False

    def __getattr__(self, name):
        if self.is_away:
            raise StoreUnavailable("store sqlite: gone")
        return getattr(self.real, name)


def an_orphan(tmp_path, **fields):
    clock = FakeClock()
    store = Away(MemoryStore(clock=clock))
    kennel = a_fresh_kennel(state_file=tmp_path / "known.json", store=store, clock=clock, **fields)
    kennel.look(is_whole=True)
    store.is_away = True
    return kennel


def test_without_its_store_it_goes_on_from_what_it_knew_and_says_so(tmp_path):  # R51, fault row H5
    kennel = an_orphan(tmp_path)

    found = []
    for _ in range(6):
        kennel.clock.tick(30 * MINUTE)
        found.append(kennel.look())

    assert kennel.kinds() == [("ScheduleLate", "acme"), ("ScheduleStale", "acme")]
    assert all(event.is_from_memory for event in kennel.heard)
    assert found[-1].store == "store sqlite: gone"
    assert found[-1].known_at == NOON + HOUR
    assert found[-1].worst is Freshness.STALE


def test_a_watchdog_that_starts_without_its_store_goes_on_from_the_file(tmp_path):  # R51, fault row H5
    kennel = an_orphan(tmp_path)
    kennel.clock.tick(5 * HOUR)

    first = kennel.new_dog().look(kennel.clock.now())
    second = kennel.new_dog().look(kennel.clock.now())

    assert [flip.after for flip in first.flips] == [Freshness.STALE]
    assert second.flips == ()


def test_without_store_and_file_it_says_that_the_store_is_away(tmp_path):  # R51, fault row H5
    kennel = an_orphan(tmp_path)
    kennel.state_file.unlink()

    with pytest.raises(StoreUnavailable):
        kennel.new_dog().look(kennel.clock.now())


def test_the_file_shows_the_age_of_its_last_look(tmp_path):  # R52, fault row H6
    kennel = an_orphan(tmp_path)
    kennel.clock.tick(10 * MINUTE)
    kennel.look()

    known = LastKnown(kennel.state_file).read()

    assert (known.checked_at, known.known_at) == (NOON + HOUR + 10 * MINUTE, NOON + HOUR)
    assert kennel.state_file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema":"rota.watchdog/99"}', b"\x00" * 100])
def test_a_file_that_is_not_understood_is_as_none(tmp_path, content):  # R64
    path = tmp_path / "known.json"
    path.write_bytes(content)

    assert LastKnown(path).read() is None


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):  # fault row H7
    path = tmp_path / "known.json"
    write_atomically(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_does_not_stop_the_watch(tmp_path):  # fault row H7
    kennel = a_fresh_kennel(state_file=tmp_path / "known.json")
    kennel.state_file.unlink()
    kennel.state_file.mkdir()
    kennel.clock.tick(5 * HOUR)

    kennel.look(is_whole=True)

    assert kennel.states() == {"acme": "stale"}


def test_what_is_told_is_given_to_whoever_asks(tmp_path):  # R51
    kennel = a_fresh_kennel()
    told = []
    dog = kennel.new_dog(tell=[told.append])
    kennel.clock.tick(5 * HOUR)

    dog.look(kennel.clock.now())

    [judged] = told
    assert [(pair.tenant, str(pair.state)) for pair in judged.pairs] == [("acme", "stale")]
    assert dict(judged.jobs) == {"report": "report"}
    assert msgspec.json.encode(judged)
