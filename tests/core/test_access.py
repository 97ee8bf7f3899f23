"""Who may do what."""

import pytest

from rota.core.access import LOCAL, Capability, Principal


def a_principal(**fields):
    return Principal(subject="ana", **fields)


def test_nothing_is_allowed_by_default():  # R62
    nobody = a_principal()

    assert not any(nobody.may(capability) for capability in Capability)
    assert not nobody.knows_job("mail")
    assert not nobody.knows_tenant("acme")
    assert not nobody.knows_tenant(None)


@pytest.mark.parametrize("capability", Capability)
def test_a_capability_is_itself_and_admin_is_all(capability):  # R62
    assert {one for one in Capability if a_principal(capabilities=frozenset({capability})).may(one)} == (
        set(Capability) if capability is Capability.ADMIN else {capability}
    )


@pytest.mark.parametrize(
    ("pattern", "name", "knows"),
    [
        ("*", "anything", True),
        ("mail_*", "mail_out", True),
        ("mail_*", "email_out", False),
        ("mail", "mail", True),
        ("mail", "Mail", False),
        ("mail", "mail_out", False),
        ("m?il", "mail", True),
    ],
)
def test_jobs_are_known_by_whole_patterns(pattern, name, knows):  # R62
    assert a_principal(jobs=("other", pattern)).knows_job(name) is knows


def test_who_is_bound_to_tenants_knows_no_other_and_nothing_of_none():  # R62
    bound = a_principal(tenants=frozenset({"acme", "globex"}))

    assert bound.knows_tenant("acme")
    assert not bound.knows_tenant("initech")
    assert not bound.knows_tenant(None)
    assert all(map(a_principal(tenants=None).knows_tenant, ["initech", None]))


def test_without_authentication_everything_is_allowed():  # R62
    assert all(LOCAL.may(capability) for capability in Capability)
    assert LOCAL.knows_job("any")
    assert all(map(LOCAL.knows_tenant, ["any", None]))
