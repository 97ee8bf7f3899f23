"""The addresses of the shop."""

from django.urls import include, path
from shop import views

urlpatterns = [
    path("orders/", views.place_order),
    path("ops/jobs/", include("rota.integrations.django.urls")),
]
