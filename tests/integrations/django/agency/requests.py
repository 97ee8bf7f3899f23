"""What a request of the tests says of itself."""

from django.http import HttpRequest

from rota import JobContext
from rota.integrations.django.requests import context_of


def context_of_agency(request: HttpRequest) -> JobContext:
    """Return the user, and the agency that a header names."""
    return JobContext(user_id=context_of(request).user_id, attributes={"agency": request.headers.get("X-Agency", "")})
