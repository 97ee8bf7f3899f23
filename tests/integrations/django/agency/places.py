"""Where the tenants of the tests are said to be."""

from rota.integrations.django.tenants import DatabaseAliases

missing = DatabaseAliases("agency_a", "agency_c")
