"""The addresses of a Django project that has one page."""

from django.http import JsonResponse
from django.urls import path

urlpatterns = [path("hello", lambda _request: JsonResponse({"said": "hello"}))]
