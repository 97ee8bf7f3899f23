"""`rota generate`: files for the systems around Rota."""

import json
from pathlib import Path

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.session import Session, pass_session
from rota.hosts import HOSTS, files_for, remarks


@click.group(cls=RotaGroup)
def generate() -> None:
    """Write files for the systems around Rota: hosts, dashboards, alert rules, the document of the API."""


@generate.command(cls=RotaCommand)
@pass_session
def grafana(session: Session) -> None:
    """Print a dashboard for Grafana 10 or later, over the metrics in Prometheus."""
    from rota.metrics.dashboard import dashboard

    session.out.text(json.dumps(dashboard(), indent=2))


@generate.command(name="prometheus-rules", cls=RotaCommand)
@pass_session
def prometheus_rules(session: Session) -> None:
    """Print alert rules for Prometheus: for who is told by Alertmanager, beside or instead of Rota's own alerts."""
    from rota.metrics.rules import rules

    session.out.text(rules().rstrip("\n"))


@generate.command(cls=RotaCommand, store=False)
@pass_session
def openapi(session: Session) -> None:
    """Print the OpenAPI 3.1 document of the HTTP API."""
    from rota.operations.document import document
    from rota.operations.table import OPERATIONS

    session.out.text(json.dumps(document(OPERATIONS), indent=2))


def host_command(host: str) -> click.Command:
    """Return the command that prints the files of a host."""

    @click.command(name=host, cls=RotaCommand, store=False, help=HOSTS[host].help)
    @click.argument("files", nargs=-1, metavar="[FILE]...")
    @click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write the files into this folder.")
    @click.option("--name", default="rota", show_default=True, help="What units, deployments and files are called.")
    @click.option(
        "--directory", metavar="DIR", default="", help="Where the application is there. Default: this folder."
    )
    @click.option("--user", default="", help="Who runs it there. Default: who asks; never root.")
    @click.option("--command", default="", help="How rota is called there. Default: as it is here.")
    @click.option("--image", default="", help="The image of the application. Default: NAME:latest.")
    @pass_session
    def command(session: Session, /, *, files: tuple[str, ...], out: Path | None, **said: str) -> None:
        # The application is imported only where files of it are asked for.
        from rota.cli.hosting import site_here, write_files

        if HOSTS[host].needs_url and not session.url:
            raise click.UsageError(f"{host} can only ask a server: say --url https://...")
        site = site_here(session, **said)
        there = {file.name: file for file in files_for(host, site)}
        for name in files:
            if name not in there:
                raise click.UsageError(f"no file {name!r}; there are: {', '.join(there)}")
        chosen = [there[name] for name in files] if files else list(there.values())
        if out is not None:
            write_files(session, chosen, out)
        else:
            heads = {file.name: f"# --- {file.name}\n" if len(chosen) > 1 else "" for file in chosen}
            session.out.text("\n".join(heads[file.name] + file.text for file in chosen).rstrip("\n"))
        for line in remarks(host, site):
            session.out.say(line)

    return command


for name in HOSTS:
    generate.add_command(host_command(name))
