"""The list of tenants: what it is made from, and what makes it a failure."""

import subprocess
import sys

import pytest

from rota.core.model import Tenant
from rota.errors import ConfigurationError, TenantListFailed
from rota.tenants import TenantCallable, TenantList, as_source, listed


def ids(source) -> list[str]:
    return [tenant.id for tenant in listed(source)]


@pytest.mark.parametrize(
    "value",
    [
        ["acme", "globex"],
        ("acme", "globex"),
        [Tenant(id="acme"), {"id": "globex"}],
        lambda: ["acme", "globex"],
        lambda: (name for name in ("acme", "globex")),
        TenantList(["acme", "globex"]),
    ],
)
def test_a_list_a_callable_and_a_source_are_tenants(value):
    # R20
    assert ids(as_source(value)) == ["acme", "globex"]


@pytest.mark.parametrize("value", ["acme", b"acme", 7, {"acme": "mysql://ops:s3cret@db/x"}])
def test_what_is_no_list_of_tenants_is_refused_at_once(value):
    with pytest.raises(ConfigurationError, match="expected a list of ids") as refused:
        as_source(value)

    # T52
    assert "s3cret" not in str(refused.value)


def test_a_callable_is_asked_for_every_round():
    # R20
    names = ["acme"]
    source = as_source(lambda: list(names))
    first = ids(source)

    names.append("globex")

    assert (first, ids(source)) == (["acme"], ["acme", "globex"])


class Register:
    """A source as an application may write it."""

    allow_empty = False

    def tenants(self):
        return [{"id": "acme"}, "globex"]


def test_a_source_may_be_the_applications_own():
    # R20
    assert ids(as_source(Register())) == ["acme", "globex"]


def test_a_mapping_gives_all_fields_of_a_tenant():
    [tenant] = listed(TenantList([{"id": "acme", "url": "sqlite://", "tags": ["gold"], "attributes": {"zone": "UTC"}}]))

    assert tenant == Tenant(id="acme", url="sqlite://", tags=("gold",), attributes={"zone": "UTC"})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"id": "acme", "ulr": "sqlite://"}, "a tenant has no ulr"),
        ({"id": 7}, "Expected `str`"),
        ({"url": "sqlite://"}, "missing required field `id`"),
        (7, "not int"),
    ],
)
def test_a_misspelt_tenant_is_refused_not_left_without_a_database(value, said):
    with pytest.raises(ConfigurationError, match=said):
        TenantList([value])


def test_an_empty_list_is_a_failure_unless_it_is_allowed():
    # R20, G7
    with pytest.raises(TenantListFailed, match="TenantList lists no tenants; pass allow_empty=True"):
        listed(TenantList([]))

    assert listed(TenantList([], allow_empty=True)) == []
    assert listed(TenantCallable(list, allow_empty=True)) == []


def test_an_id_names_one_tenant():
    # R20
    with pytest.raises(TenantListFailed, match="lists tenant 'acme' twice"):
        listed(TenantList(["acme", "globex", "acme"]))


@pytest.mark.parametrize("tenant_id", ["", " acme", "acme ", "ac\nme", "ac\x00me", "acme\u202e", "a" * 201])
def test_an_id_that_could_be_taken_for_another_is_refused(tenant_id):
    # T22
    with pytest.raises(TenantListFailed, match="an id "):
        listed(TenantList([tenant_id]))


@pytest.mark.parametrize("tenant_id", ["agency_1", "agency`x", 'a"b', "a;b", "a?b", "a#b", "a@b", "a/b", "a%b", "Ünal"])
def test_any_other_id_is_opaque(tenant_id):
    # T22, T24
    assert ids(TenantList([tenant_id])) == [tenant_id]


def failing():
    raise RuntimeError("no route to postgresql://ops:s3cret@db1/control\nmore")


def test_a_failing_callable_fails_the_list_and_says_why_without_the_password():
    # R20, G7, T52
    with pytest.raises(TenantListFailed) as failed:
        listed(TenantCallable(failing))

    assert str(failed.value) == (
        "TenantCallable cannot list the tenants: RuntimeError: no route to postgresql://ops:***@db1/control more"
    )


@pytest.mark.parametrize("answer", [None, 7, [7]])
def test_a_callable_that_answers_something_else_fails_the_list(answer):
    # R20
    with pytest.raises(TenantListFailed, match="TenantCallable cannot list the tenants"):
        listed(TenantCallable(lambda: answer))


def test_naming_the_sources_loads_no_database_library():
    # `import rota` must stay quick; who makes a source that needs SQLAlchemy loads it.
    program = "import sys, rota.tenants; rota.tenants.TenantList(['a']); sys.exit('sqlalchemy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf"), 1e-9])
def test_a_weight_that_is_no_share_is_refused_with_its_tenant(weight):  # R24, R35
    with pytest.raises(ConfigurationError, match=r"tenant 'acme': weight=.* from 0.01 to 100"):
        TenantList([Tenant(id="acme", weight=weight)])
    with pytest.raises(ConfigurationError, match="tenant 'acme'"):
        TenantList([{"id": "acme", "weight": weight}])
