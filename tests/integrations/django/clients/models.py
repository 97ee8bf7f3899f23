"""Who the tenants are."""

from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Client(TenantMixin):
    """A tenant with a schema of its own."""

    name = models.CharField(max_length=100)
    auto_create_schema = False


class Domain(DomainMixin):
    """A host name of a tenant."""
