"""Addresses with those of Rota's API among them."""

from django.urls import include, path

urlpatterns = [path("ops/jobs/", include("rota.integrations.django.urls"))]
"""The one line."""
