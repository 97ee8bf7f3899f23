"""What people and guards have set is small, versioned, and replaced only by who has seen it."""

from msgspec.structs import replace

from rota.core.controls import ControlKind, Pause, Paused, TenantSetting
from tests.values import HOUR, MINUTE, NOON, a_control


def put(store, *controls):
    for control in controls:
        assert store.put_control(control, expected_version=None)


def test_a_control_comes_back_as_it_was_given(store):  # R12
    pause = Pause(
        kind=Paused.TENANT, name="acme", reason="Umzug: „später“ 🙂", author="ana", since=NOON, until=NOON + HOUR
    )
    control = a_control(body=pause.body(), version=3, changed_at=NOON + MINUTE)

    put(store, control)

    assert store.control(ControlKind.PAUSE, "tenant/acme") == control
    assert Pause.of(store.controls()[0]) == pause


def test_a_long_body_comes_back_whole(store):
    setting = TenantSetting(schedules={f"nightly-{number}": f"acme-{number}" for number in range(3_000)})
    control = a_control(kind=ControlKind.TENANT, name="acme", body=setting.body())

    put(store, control)

    assert TenantSetting.of(store.controls()[0]) == setting


def test_there_is_none_before_it_is_put(store):
    assert store.control(ControlKind.PAUSE, "tenant/acme") is None
    assert store.controls() == []
    assert store.controls(ControlKind.CIRCUIT) == []


def test_controls_come_by_kind_and_name(store):
    keys = [
        (ControlKind.TENANT, "acme"),
        (ControlKind.PAUSE, "tenant/b"),
        (ControlKind.CIRCUIT, "acme"),
        (ControlKind.PAUSE, "job/z"),
    ]
    put(store, *[a_control(kind=kind, name=name) for kind, name in keys])

    assert [(control.kind, control.name) for control in store.controls()] == sorted(keys)
    assert [control.name for control in store.controls(ControlKind.PAUSE)] == ["job/z", "tenant/b"]
    assert store.controls(ControlKind.CAMPAIGN) == []


def test_names_tell_upper_case_accents_and_blanks_apart(store):
    names = ["cafe", "CAFE", "café", "cafe "]
    put(store, *[a_control(name=name, body=f'"{name}"') for name in names])

    for name in names:
        stored = store.control(ControlKind.PAUSE, name)
        assert stored is not None
        assert (stored.name, stored.body) == (name, f'"{name}"')


def test_a_control_is_replaced_by_who_names_its_version(store):
    put(store, a_control(version=1))
    second = a_control(version=2, body='{"reason":"longer"}', changed_at=NOON + MINUTE)

    assert store.put_control(second, expected_version=1)

    assert store.controls() == [second]


def test_a_control_is_not_replaced_by_who_has_seen_another_version(store):
    first = a_control(version=2)
    put(store, first)

    assert not store.put_control(replace(first, body="{}", version=3), expected_version=1)
    assert not store.put_control(replace(first, body="{}"), expected_version=None)
    assert not store.put_control(a_control(name="tenant/globex"), expected_version=1)

    assert store.controls() == [first]


def test_a_control_is_dropped_by_who_names_its_version(store):
    other = a_control(kind=ControlKind.CIRCUIT)
    put(store, a_control(version=2), other)

    assert not store.drop_control(ControlKind.PAUSE, "tenant/acme", expected_version=1)
    assert not store.drop_control(ControlKind.PAUSE, "tenant/globex", expected_version=2)
    assert store.drop_control(ControlKind.PAUSE, "tenant/acme", expected_version=2)
    assert not store.drop_control(ControlKind.PAUSE, "tenant/acme", expected_version=2)

    assert store.controls() == [other]


def test_a_control_that_was_dropped_may_be_put_again(store):
    put(store, a_control())
    store.drop_control(ControlKind.PAUSE, "tenant/acme", expected_version=1)

    put(store, a_control())

    assert len(store.controls()) == 1
