"""`rota token`: who may ask over HTTP."""

import sys
from collections.abc import Sequence

import click

from rota.cli.arguments import names
from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.cli.session import token as own_token
from rota.core.access import Capability
from rota.core.duration import parse_duration
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.operation import Nothing
from rota.operations.tokens import (
    MadeKind,
    TokenRevoked,
    TokenShown,
    TokenWanted,
    create_token,
    inspect_token,
    list_tokens,
    revoke_token,
)


@click.group(cls=RotaGroup, default="list")
def token() -> None:
    """Make, list, revoke and look at tokens and keys for the HTTP door."""


@token.command(cls=RotaCommand)
@click.argument("subject")
@click.option(
    "--kind",
    type=click.Choice([str(kind) for kind in MadeKind]),
    default=str(MadeKind.KEY),
    help="key: for a machine, until it is revoked (default); jwt: signed, for minutes, kept nowhere.",
)
@click.option(
    "--can", default="read", metavar="A,B", help="What it may do: read, trigger, manage, admin. Default: read."
)
@click.option("--job", "jobs", multiple=True, metavar="PATTERN", help="Only these jobs: report_*. Repeatable.")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B", help="Only these tenants. Repeatable.")
@click.option("--life", metavar="DURATION", help="How long it lives. Default: 10m of a jwt; a key until it is revoked.")
@click.option("--key", metavar="ID", help="Sign a jwt with this [[auth.key]]. Default: the first that can sign.")
@click.option("--note", default="", help="What a key is for.")
@pass_session
def create(
    session: Session,
    *,
    subject: str,
    kind: str,
    can: str,
    jobs: Sequence[str],
    tenants: Sequence[str],
    life: str | None,
    key: str | None,
    note: str,
) -> None:
    """Make a key or a signed token for SUBJECT. It is printed once, alone on its line, and kept nowhere."""
    made = session.ask(
        create_token,
        TokenWanted(
            kind=MadeKind(kind),
            subject=subject,
            capabilities=_capabilities(can),
            jobs=tuple(jobs) or ("*",),
            tenants=names(tenants) or None,
            life_s=None if life is None else _seconds(life),
            key=key,
            note=note,
        ),
    )
    until = "until it is revoked" if made.ends_at is None else f"until {session.shown(made.ends_at)}"
    session.out.say(safe_text(f"rota: {made.kind} {made.id} for {made.subject}, {until}; it is not shown again"))
    session.out.secret("rota.token.create/1", made, made.token)


@token.command(name="list", cls=RotaCommand)
@pass_session
def list_(session: Session) -> None:
    """List keys, browsers that are signed in, and tokens that were revoked. Signed tokens are kept nowhere."""
    page = session.ask(list_tokens, Nothing())
    columns = [
        Column("KIND", lambda row: str(row.kind)),
        Column("ID", lambda row: row.id),
        Column("SUBJECT", lambda row: row.subject or ""),
        Column("CAN", lambda row: ",".join(row.capabilities)),
        Column("JOBS", lambda row: ",".join(row.jobs)),
        Column("TENANTS", lambda row: "all" if row.tenants is None else ",".join(row.tenants)),
        Column("MADE", lambda row: session.shown(row.made_at)),
        Column("ENDS", lambda row: session.shown(row.ends_at)),
        Column("BY", lambda row: row.author or ""),
        Column("NOTE", lambda row: ("revoked: " if row.revoked else "") + row.note),
    ]
    session.out.page("rota.token.list/1", page, columns, foot="" if page.data else "no keys")


@token.command(cls=RotaCommand)
@click.argument("token_id", metavar="ID")
@click.option("--reason", required=True, help="For those who are refused, and for the audit.")
@pass_session
def revoke(session: Session, *, token_id: str, reason: str) -> None:
    """End the key with this ID, or call back the signed token with this `jti`. It holds everywhere within seconds."""
    ended = session.ask(revoke_token, TokenRevoked(id=token_id, reason=reason))
    session.out.one(
        "rota.token.revoke/1", ended, [safe_text(f"{ended.kind} {ended.id}: refused from now on, within seconds")]
    )


@token.command(cls=RotaCommand, exits={Exit.FAILED: "it is not believed"})
@pass_session
def inspect(session: Session) -> None:
    """Say whom the token on standard input stands for, and if it is not believed, why.

    From a terminal, the one in ROTA_TOKEN or ROTA_TOKEN_FILE. Never an argument: all users of a machine see the
    arguments of a command.
    """
    text = own_token() if sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        raise click.UsageError("there is no token on standard input: rota token inspect < file")
    seen = session.ask(inspect_token, TokenShown(token=text.strip()))
    if not seen.believed:
        session.out.one("rota.token.inspect/1", seen, [safe_text(f"not believed: {seen.why}")])
        click.get_current_context().exit(Exit.FAILED)
    tenants = "all tenants" if seen.tenants is None else f"tenants {', '.join(seen.tenants) or 'none'}"
    lines = [
        f"{seen.kind} {seen.id or 'without id'} for {seen.subject}",
        f"can {', '.join(seen.capabilities) or 'nothing'}; jobs {', '.join(seen.jobs)}; {tenants}",
        f"until {'it is revoked' if seen.ends_at is None else session.shown(seen.ends_at)}",
    ]
    session.out.one("rota.token.inspect/1", seen, [safe_text(line) for line in lines])


def _capabilities(text: str) -> tuple[Capability, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = [str(one) for one in Capability]
    for word in words:
        if word not in known:
            raise click.UsageError(f"--can: {word!r} is no capability; there are {', '.join(known)}")
    return tuple(Capability(word) for word in words)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise click.UsageError(f"--life: {error}") from error
