"""A small application with tenants, made anew for each test: notes are the tenants', orders are the agency's."""

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from msgspec import Struct
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from rota.core.model import Tenant
from rota.integrations.flask import FlaskRota
from rota.integrations.flask.sessions import tenant_sessions


class Agency(Struct, frozen=True, kw_only=True):
    """The application, its extensions and its models."""

    app: Flask
    db: SQLAlchemy
    jobs: FlaskRota
    Note: type
    Order: type


def an_agency(
    *,
    tenants: dict[str, str] | None = None,
    store: object = "memory://",
    tenant_key: str | None = None,
    **config: object,
) -> Agency:
    """Make one; `tenants` are their databases by name, `config` is over what is usual in `app.config`."""
    db = SQLAlchemy(session_options=tenant_sessions(bind_key=tenant_key))
    shared_key = "shared" if tenant_key is None else None

    class Note(db.Model):  # type: ignore[name-defined]  # as everybody writes it
        __bind_key__ = tenant_key
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str] = mapped_column(String(100))

    class Order(db.Model):  # type: ignore[name-defined]  # as everybody writes it
        __bind_key__ = shared_key
        id: Mapped[int] = mapped_column(primary_key=True)
        item: Mapped[str] = mapped_column(String(100))

    jobs = FlaskRota(store=store, tenants=[Tenant(id=name, url=url) for name, url in (tenants or {}).items()])
    app = Flask("agency")
    app.config |= {"SQLALCHEMY_BINDS": {"shared": "sqlite://"}, "SECRET_KEY": "of a test", **config}
    db.init_app(app)
    jobs.init_app(app)
    with app.app_context():
        db.create_all(shared_key)
    for name in tenants or {}:
        with jobs.tenant(name) as tenant:
            db.metadatas[tenant_key].create_all(tenant.engine)
            db.session.add(Note(text=f"marker of {name}"))
            db.session.commit()
    return Agency(app=app, db=db, jobs=jobs, Note=Note, Order=Order)
