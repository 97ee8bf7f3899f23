"""The addresses of the tests."""

from django.contrib import admin
from django.urls import path

from tests.integrations.django.agency import views

urlpatterns = [path("admin/", admin.site.urls), path("who/", views.ask)]
