"""Who may operate the jobs of the shop."""

from django.http import HttpRequest

from rota.web import Role, User


def of_request(request: HttpRequest) -> User | None:
    """Return what the sender of a request may do: who runs the site, everything."""
    if not request.user.is_staff:
        return None
    return User(name=request.user.get_username(), role=Role.ADMIN, tenants=None)
