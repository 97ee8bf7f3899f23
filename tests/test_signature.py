"""What a function asks for, what it is given, and what an enqueue must fit."""

from datetime import datetime
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, Engine

from rota import BoundTenant, RunContext, StopSignal, Tenant
from rota.errors import ArgumentsNotJson, ArgumentsTooBig, BadArguments, UnsupportedJob
from rota.signature import NO_ARGUMENTS, Gift, Signature

if TYPE_CHECKING:
    from nowhere import Unknown


def sig(function) -> Signature:
    return Signature(function, name="job")


def everything(
    ctx: RunContext, tenant: Tenant, bound: BoundTenant, stop: StopSignal, on: Engine, tx: Connection, size: int = 3
): ...


def of_the_documents(db_name, engine): ...


def with_a_stop_event(stop_event: Event): ...


def everyday(number: int, text: str, flag: bool = False): ...


def test_gifts_are_found_by_annotation_at_any_name():
    assert sig(everything).gifts == {
        "ctx": Gift.CONTEXT,
        "tenant": Gift.TENANT,
        "bound": Gift.BOUND_TENANT,
        "stop": Gift.STOP,
        "on": Gift.ENGINE,
        "tx": Gift.CONNECTION,
    }


def test_the_functions_of_the_mission_get_what_they_name():
    assert sig(of_the_documents).gifts == {"db_name": Gift.DATABASE_NAME, "engine": Gift.ENGINE}
    assert sig(with_a_stop_event).gifts == {"stop_event": Gift.STOP}


def test_an_annotation_that_only_type_checkers_can_resolve_is_taken_as_it_comes():
    def later(thing: "Unknown", size: "int"): ...

    assert sig(later).encode([{"a": 1}, 2], {})


def test_arguments_are_given_by_name_so_that_a_gift_may_stand_in_front():
    def job(ctx: RunContext, a: int, b: int = 0): ...

    text = sig(job).encode([1], {"b": 2})

    assert sig(job).decode(text) == ((), {"a": 1, "b": 2})


def test_positional_only_and_further_arguments_keep_their_place():
    def job(a, /, b, *rest, key=None, **more): ...

    assert sig(job).decode(sig(job).encode([1, 2, 3], {"key": 4, "x": 5})) == ((1, 2, 3), {"key": 4, "x": 5})
    assert sig(job).decode(sig(job).encode([1, 2], {})) == ((1,), {"b": 2})


def test_no_arguments_have_one_text():
    assert sig(with_a_stop_event).encode([], {}) is NO_ARGUMENTS


def test_arguments_come_back_as_their_annotations_say():  # R31
    def job(when: datetime, sizes: tuple[int, ...]): ...

    instant = datetime.fromisoformat("2026-06-01T12:00:00+02:00")

    assert sig(job).decode(sig(job).encode([instant, (1, 2)], {})).kwargs == {"when": instant, "sizes": (1, 2)}


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ([], {}, "missing a required argument: 'user_id'"),
        ([1, 2], {}, "too many positional arguments"),
        ([1], {"colour": "red"}, "unexpected keyword argument 'colour'"),
        (["seven"], {}, "user_id: expected int, got str"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_at_enqueue_with_the_signature(args, kwargs, said):  # R31, R64
    def job(user_id: int): ...

    with pytest.raises(BadArguments) as refusal:
        sig(job).encode(args, kwargs)

    assert said in str(refusal.value)
    assert "job(user_id: int)" in str(refusal.value)


def test_a_value_without_a_json_form_is_named_by_its_place_and_not_shown():  # R31, R65
    with pytest.raises(ArgumentsNotJson, match=r"customer\.born"):
        sig(lambda customer: None).encode([{"born": object()}], {})


def test_arguments_over_the_limit_are_refused_with_their_size():  # R31, fault row F19
    with pytest.raises(ArgumentsTooBig, match="65,536"):
        sig(lambda text: None).encode(["x" * 70_000], {})


def test_a_gift_that_could_only_be_passed_by_place_is_refused():
    def positional(ctx: RunContext, /): ...

    def in_front_of_the_rest(ctx: RunContext, *rest): ...

    with pytest.raises(UnsupportedJob, match="positional-only"):
        sig(positional)
    with pytest.raises(UnsupportedJob, match="keyword-only"):
        sig(in_front_of_the_rest)


def test_an_annotation_that_cannot_be_resolved_costs_the_others_nothing():
    namespace: dict[str, object] = {"RunContext": RunContext}
    source = "from __future__ import annotations\ndef job(ctx: RunContext, thing: Unknown, size: int): ..."
    exec(source, namespace)  # a module whose annotations are all texts
    signature = sig(namespace["job"])

    assert signature.gifts == {"ctx": Gift.CONTEXT}
    with pytest.raises(BadArguments, match="size"):
        signature.encode([1, "two"], {})


@pytest.mark.parametrize("number", [7, -(2**70), 2**60])
def test_arguments_by_place_and_by_name_have_one_text(number):  # R31
    signature = sig(everyday)

    assert signature.encode([number, "x"], {}) == signature.encode([number], {"text": "x"})
    assert signature.decode(signature.encode([number, "x"], {})).kwargs == {"number": number, "text": "x"}


@pytest.mark.parametrize("args", [(), ("7", "x"), (True, 1), (7, "x", True, "more")])
def test_a_short_way_for_plain_arguments_refuses_what_the_long_one_does(args):  # R31, R64
    with pytest.raises(BadArguments, match="job"):
        sig(everyday).encode(args, {})
