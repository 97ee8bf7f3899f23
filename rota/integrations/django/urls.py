"""Rota's HTTP API under a project's own addresses: `path("ops/jobs/", include("rota.integrations.django.urls"))`."""

from django.urls import URLPattern, re_path

from rota.integrations.django.door import answer

app_name = "rota"
urlpatterns: list[URLPattern] = [re_path(r"^(?P<rest>.*)$", answer, name="door")]
