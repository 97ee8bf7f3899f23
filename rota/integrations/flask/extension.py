"""The extension: a Rota object that belongs to a Flask application."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import Flask, current_app, has_app_context

from rota.app import Rota
from rota.clock import Clock
from rota.context import BoundTenant, RunContext
from rota.errors import AppNotFound, ConfigurationError, TenantNotFound
from rota.inline import Inline
from rota.integrations.flask import configuration, mounting, tenants
from rota.integrations.flask.command import command
from rota.integrations.flask.loading import EXTENSION, application, is_told, name_of, tell_processes
from rota.integrations.flask.requests import ASKED, Asked, Asker, of_request
from rota.job_context import from_requests
from rota.place import refuse_copy
from rota.ports import Store
from rota.premises import Premises
from rota.settings import Settings
from rota.settings.reading import laid_over
from rota.tenancy import Tenants

if TYPE_CHECKING:
    from rota.integrations.flask.databases import Databases
    from rota.integrations.flask.transactions import OpenSessions
    from rota.web.authority.host import Resolved

SQLALCHEMY = "sqlalchemy"
"""The name of Flask-SQLAlchemy in `app.extensions`."""


class FlaskRota(Rota):
    """Jobs of a Flask application: they run in its context, and it configures them.

    Made with the application, or beside it and told of it later by `init_app`, as a factory does.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        store: str | Store | Callable[[], str] | None = None,
        tenants: Tenants | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        inline: bool | Inline = False,
    ) -> None:
        """Without a `store` here or in the configuration it is in the database of Flask-SQLAlchemy, else in
        `sqlite:///rota.db`."""
        super().__init__(store or self._own_url, tenants=tenants, settings=settings, clock=clock, inline=inline)
        self._said_by_code = self.settings
        self._application: Flask | None = None
        self._databases: Databases | None = None
        self._has_begun = False
        """Whether this process may have started others for the application."""
        self._asked = Asked()
        self.carry_job_context(attributes=self._asked.attributes)
        self.around(self._within_application)
        self.join(self._open_sessions)
        # A context of its own: a list that is asked of `db.session` is nothing of the tenant that is worked for.
        self._tenancy.within = lambda: self.application.app_context()
        if app is not None:
            self.init_app(app)

    @property
    def application(self) -> Flask:
        """The Flask application that the jobs belong to.

        Raises:
            ConfigurationError: there is none yet.
        """
        if self._application is None:
            raise ConfigurationError(
                "this FlaskRota has no application yet: rota.init_app(app), where the application is made; and "
                "commands start as `flask --app ... rota ...`"
            )
        return self._application

    def init_app(self, app: Flask) -> None:
        """Belong to an application; to the last one that this was called with, which a test makes for itself.

        Raises:
            ConfigurationError: the application has another FlaskRota, says what cannot be used, or this object is one
                of two that a file made which was imported by two names.
        """
        known = app.extensions.get(EXTENSION)
        if known is self and self._application is app:
            return
        if known is not None and known is not self:
            raise ConfigurationError(
                f"application {app.name!r} has another FlaskRota already: it is one for each application, and jobs "
                "of others are taken in by rota.include(registry)"
            )
        refuse_copy(self)
        said = configuration.read(app)
        if self._application is not None:
            self._start_afresh()
        self._application, self._databases = app, _databases(app, bind=said.bind)
        super().configure(laid_over(self._said_by_code, said.settings))
        app.extensions[EXTENSION], app.extensions[ASKED] = self, self._asked
        from_requests(of_request)
        app.teardown_appcontext(tenants.leave)
        app.cli.add_command(command)

    def configure(self, settings: Settings) -> None:
        """Take settings as `rota --app` and child processes have read them. Whoever found this object in a module has
        no application yet: it is loaded as `flask` does.

        Raises:
            AppNotFound: there is none, or it has another FlaskRota.
        """
        if self._application is None:
            app = application()
            if self._application is None:
                raise AppNotFound(f"application {app.name!r} has not been given to this FlaskRota: rota.init_app(app)")
        super().configure(laid_over(self.settings, settings))

    # --- from a request into the run ---

    def carried(self, name: str, *, on_g: bool = False) -> Callable[[Asker], Asker]:
        """Have a function say what the job context of a request holds under this name: `JobContext.from_request()`,
        and in the runs that the request enqueues `JobContext.current()`.

        `tenant` and `user_id` are its own, as text; without a word its tenant is the current one. Any other name is an
        attribute, of what has a JSON form; None is left out. `on_g`: it is `g.<name>` in the run as well.

        Raises:
            ConfigurationError: the name is taken, or looks like that of a secret.
        """

        def register(get: Asker) -> Asker:
            self._asked.add(name, get, on_g=on_g)
            return get

        return register

    # --- tenants ---

    @property
    def current_tenant(self) -> BoundTenant | None:
        """The tenant that this code works for: of a run, of a request, of a `tenant` block."""
        return tenants.current()

    @contextmanager
    def tenant(self, tenant_id: str) -> Iterator[BoundTenant]:
        """Work for a tenant within the block: `db.session` is a session of its own, on the tenant's database.

        What that has not committed at the end is rolled back, as at the end of a request.

        Raises:
            TenantNotFound: the source lists no such tenant.
            ConfigurationError: this code belongs to another application.
        """
        if not has_app_context():
            with self.application.app_context(), self.tenant(tenant_id) as found:
                yield found
            return
        current = tenants.current()
        if current is not None and current.id == tenant_id:
            yield current
            return
        bound = self._bound(tenant_id)
        try:
            with tenants.entered(bound):
                yield bound
        finally:
            bound.close()

    def enter_tenant(self, tenant_id: str) -> BoundTenant:
        """Work for a tenant until this request, or whatever the application context is for, is over.

        Raises: as `tenant`.
        """
        return tenants.held().enter_context(self.tenant(tenant_id))

    def _bound(self, tenant_id: str) -> BoundTenant:
        self._check_is_ours()
        found = self._tenancy.directory.find(tenant_id, now=self.clock.now())
        if found is None:
            # As they were listed just now: a request may name anything, and often.
            raise TenantNotFound(tenant_id, known=list(self._tenancy.directory.known))
        return BoundTenant(found, self._tenancy.borrow)

    def mount(self, prefix: str, *, user: "Callable[[], Resolved] | None" = None) -> None:
        """Answer under a prefix of the application with the HTTP door: its API, triggers, health and metrics.

        `user` returns who asks, or None for nobody: a `User` of `rota.web`. It is called within a request of Flask's.
        Without it the settings `[auth]` decide. The door is made when it is first asked.

        Raises:
            ConfigurationError: the prefix is none, or there is no application yet.
        """
        app = self.application
        resolve_user = None if user is None else mounting.within_request(app, user)
        mounting.mount(app, prefix, lambda: self.wsgi_app(resolve_user=resolve_user))

    # --- enqueue ---

    def _open_sessions(self) -> "OpenSessions | None":
        """Return the transaction around this code, of `db.session`; None without one."""
        if not has_app_context():
            return None
        self._check_is_ours()
        databases = self._own_databases()
        return None if databases is None else databases.open_sessions(self.store)

    # --- runs ---

    @contextmanager
    def _within_application(self, ctx: RunContext) -> Iterator[None]:
        """Give a run an application context of its own, which is torn down after it."""
        app = self.application
        with app.app_context():
            if self._databases is not None:
                self._databases.leave_inherited()
            self._asked.put_on_g(ctx)
            if ctx.run.tenant is None:
                yield
                return
            with tenants.entered(ctx.tenant):
                yield

    def premises(self) -> Premises:
        """Return what the services of this process share; who asks starts them, and some start child processes."""
        if not self._has_begun:
            # Again: one that was made with its application had no name in its module then.
            refuse_copy(self)
            if not is_told():
                tell_processes(name_of(self.application))
            self._has_begun = True
        return super().premises()

    # --- its own ---

    def _own_url(self) -> str:
        databases = self._own_databases()
        if databases is None:
            return self.settings.store.url
        with self.application.app_context():
            return databases.store_url() or self.settings.store.url

    def _own_databases(self) -> "Databases | None":
        """Return those of Flask-SQLAlchemy; None without it."""
        db = self.application.extensions.get(SQLALCHEMY)
        if db is not None and (self._databases is None or self._databases.db is not db):
            raise ConfigurationError(
                "db.init_app(app) is to come before rota.init_app(app): its sessions are listened to"
            )
        return self._databases

    def _check_is_ours(self) -> None:
        """Refuse to work for an application that another one has taken the place of."""
        if has_app_context() and current_app != self.application:
            raise ConfigurationError(
                f"this FlaskRota belongs to the application that init_app was called with last, and not to this one, "
                f"{current_app.name!r}: make one for each"
            )

    def _start_afresh(self) -> None:
        """Let go of what belongs to the application before."""
        self.close()
        self._keeping.opened = None
        self._tenancy.let_go()


def _databases(app: Flask, *, bind: str | None) -> "Databases | None":
    if SQLALCHEMY in app.extensions:
        # Weight by choice: whoever has Flask-SQLAlchemy has loaded SQLAlchemy.
        from rota.integrations.flask.databases import Databases

        return Databases(app.extensions[SQLALCHEMY], bind=bind)
    if bind is not None:
        raise ConfigurationError(
            f"bind {bind!r} in ROTA is one of Flask-SQLAlchemy: db.init_app(app) before rota.init_app(app)"
        )
    return None
