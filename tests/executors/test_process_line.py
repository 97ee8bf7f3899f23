"""What goes between a worker and its children: frames, lines, settings, and where the application is."""

import sys
from datetime import timedelta
from types import ModuleType

import pytest

from rota import Rota
from rota.calls import Brief
from rota.core.lifecycle import Ending
from rota.core.model import ErrorReport, Outcome, Tenant
from rota.core.part import Part, Role
from rota.errors import AppNotFound, BadArguments, BrokenFrame, ConfigurationError
from rota.executors.frames import MOST, Ended, Frames, FromChild, Logged, Start, Taken, ToChild, framed
from rota.executors.line import LONGEST, Lines
from rota.place import heard, place_of, told
from rota.relay import RelayStore
from rota.settings import Settings
from rota.settings.reading import KINDS, value_of
from rota.settings.values import StoreSettings, WorkerSettings
from tests.clocks import FakeClock
from tests.values import NOON, a_run


def test_frames_are_put_together_from_any_pieces():
    frames, sent = Frames(FromChild), [Taken(), Logged(level="INFO", source="shop", text="é" * 100), Taken()]
    text = b"".join(map(framed, sent))

    received = [frame for byte in text for frame in frames.feed(bytes([byte]))]

    assert received == sent


def test_a_brief_crosses_with_its_tenant_whole():
    for tenant in (Tenant(id="acme"), Tenant(id="acme", url="sqlite://", attributes={"plan": "gold"})):
        start = Start(brief=Brief(run=a_run(tenant="acme"), tenant=tenant), started_at=NOON, now=NOON)

        assert list(Frames(ToChild).feed(framed(start))) == [start]


@pytest.mark.parametrize(
    "text",
    [
        (MOST + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x05hello",
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x01\xff",
        b"\x00\x00\x00\x00",
        framed(Start(brief=Brief(run=a_run()), started_at=NOON, now=NOON)),
    ],
)
def test_what_is_no_frame_of_this_line_is_refused(text):
    with pytest.raises(BrokenFrame):
        list(Frames(FromChild).feed(text))


def test_a_frame_that_is_too_long_is_not_sent():
    with pytest.raises(BrokenFrame):
        framed(Logged(level="INFO", source="", text="x" * MOST))


def test_lines_come_whole_however_they_are_written():
    lines = Lines()

    fed = [text for piece in (b"on", b"e\ntwo\r\n", b"", b"\n", b"thr", b"ee") for text in lines.feed(piece)]

    assert [*fed, *lines.flush()] == ["one", "two", "", "three"]
    assert list(lines.flush()) == []


def test_of_a_long_line_the_head_is_kept_and_the_rest_is_counted():  # F9
    lines = Lines()

    fed = [text for _ in range(3) for text in lines.feed(b"x" * LONGEST)] + list(lines.feed(b"\nshort\n"))

    assert fed == ["x" * LONGEST + f"... ({2 * LONGEST:,} bytes more)", "short"]


def test_bytes_that_are_no_text_are_marked():  # F9
    assert list(Lines().feed(b"\xff\xfe ok\n")) == ["\ufffd\ufffd ok"]


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(
            store=StoreSettings(url="postgresql://rota:CANARY@db/rota", pool_size=9),
            worker=WorkerSettings(
                timeout=None, queues={"mail": 4}, environment=("PATH", "SHOP_*"), grace=timedelta(milliseconds=1500)
            ),
        ),
    ],
)
def test_a_child_is_told_every_setting_but_the_secrets(settings):  # T55
    texts = told(settings)

    known = heard(texts, code=Settings())

    assert "CANARY" not in str(texts)
    assert [key for key in KINDS if key != "store.url" and value_of(known, key) != value_of(settings, key)] == []


@pytest.fixture
def module(monkeypatch):
    made = ModuleType("shop_of_a_test")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_an_application_is_found_where_it_stands(module):
    module.shop = Rota("memory://")

    assert place_of(module.shop) == "shop_of_a_test:shop"


def test_the_place_that_the_settings_name_wins(module):
    module.first = module.second = Rota("memory://")

    assert place_of(module.first, named="shop_of_a_test:second") == "shop_of_a_test:second"
    assert place_of(module.first, named="shop_of_a_test:other") == "shop_of_a_test:first"


def test_an_application_that_no_module_holds_is_refused_with_the_way_out():
    with pytest.raises(AppNotFound, match="attribute of a module"):
        place_of(Rota("memory://"))


def test_many_runs_are_sent_in_pieces():
    asked = []
    store = RelayStore(lambda runs, *_: asked.append(len(runs)) or [run.id for run in runs], clock=FakeClock())
    runs = [a_run(args=f'{{"args":["{"x" * 30_000}"],"kwargs":{{}}}}') for _ in range(100)]

    assert store.enqueue(runs, now=NOON) == [run.id for run in runs]
    assert sum(asked) == 100 and 2 < len(asked) < 10


def test_a_flow_that_would_be_sent_in_pieces_is_refused_whole():  # R32
    asked = []
    store = RelayStore(lambda runs, *_: asked.append(len(runs)) or [run.id for run in runs], clock=FakeClock())
    part = Part(role=Role.MEMBER, of=100)
    runs = [a_run(part=part, args=f'{{"args":["{"x" * 30_000}"],"kwargs":{{}}}}') for _ in range(100)]

    with pytest.raises(BadArguments, match="a flow of 100 runs"):
        store.enqueue(runs, now=NOON)
    assert asked == []
    assert store.enqueue(runs[:5], now=NOON) == [run.id for run in runs[:5]]


def test_a_child_has_no_other_verb_of_the_store():
    with pytest.raises(ConfigurationError, match="asks its parent only to enqueue"):
        RelayStore(lambda runs: [], clock=FakeClock()).claim(None, now=NOON)


def test_an_ending_crosses_whole():
    ending = Ending(
        outcome=Outcome.SNOOZED, started_at=NOON, delay=timedelta(minutes=3), error=ErrorReport(type="x", message="y")
    )

    assert list(Frames(FromChild).feed(framed(Ended(ending=ending, worn="folder")))) == [
        Ended(ending=ending, worn="folder")
    ]
