from rota.core.model import Tenant


def test_a_tenant_that_is_printed_shows_no_password_and_no_attributes():  # R65
    tenant = Tenant(id="acme", url="postgresql://ops:hunter2@db1/acme", attributes={"plan": "secret-plan"})

    assert "acme" in repr(tenant)
    assert "hunter2" not in repr(tenant) and "secret-plan" not in f"{[tenant]}"
