"""Views of the tests."""

from django.http import JsonResponse

from tests.integrations.django.agency.jobs import who


def ask(request):
    """Have a job say who asked."""
    return JsonResponse({"run": who.enqueue().id})
