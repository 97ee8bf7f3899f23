"""The tenants of django-tenants, for tests."""
