"""The files of each host, from templates that look like them."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from rota.core.duration import duration_text
from rota.hosts.site import Site

if TYPE_CHECKING:
    from jinja2 import Environment


class HostFile(Struct, frozen=True, kw_only=True):
    """A file, by the name under which `--out` writes it."""

    name: str
    text: str


class Host(Struct, frozen=True, kw_only=True):
    """A kind of host."""

    help: str
    templates: tuple[str, ...]
    """In its folder. `NAME` stands for the name of the site."""
    then: str
    """What is to be done with the files."""
    needs_url: bool = False
    """Whether it can only ask a server."""
    shares_no_disk: bool = True
    """Whether processes there may be on different machines, or lose their disk."""


HOSTS: Mapping[str, Host] = {
    "systemd": Host(
        help="Print units for systemd: the workers, the server, and a timer for who wants no process that stays.",
        templates=("NAME.service", "NAME-serve.service", "NAME-tick.service", "NAME-tick.timer"),
        then="in /etc/systemd/system, then: rota db upgrade, systemctl daemon-reload && systemctl enable --now NAME, "
        "or NAME-tick.timer",
        shares_no_disk=False,
    ),
    "cron": Host(
        help="Print a line for cron that does a pass a minute. With --url a server does it.",
        templates=("NAME.crontab",),
        then="crontab -e, as the user that is to run it",
        shares_no_disk=False,
    ),
    "k8s": Host(
        help="Print manifests for Kubernetes: the workers, the server, and a CronJob for who wants no workers.",
        templates=("NAME.yaml", "NAME-serve.yaml", "NAME-tick.yaml"),
        then="kubectl apply -f NAME.yaml -f NAME-serve.yaml, or NAME-tick.yaml instead of the first",
    ),
    "eventbridge": Host(
        help="Print a CloudFormation template: EventBridge asks a server for a pass a minute. Needs --url.",
        templates=("NAME-eventbridge.yaml",),
        then="aws cloudformation deploy --stack-name NAME --template-file NAME-eventbridge.yaml "
        "--capabilities CAPABILITY_IAM",
        needs_url=True,
        shares_no_disk=False,
    ),
    "eb": Host(
        help="Print the files of an Elastic Beanstalk worker environment, whose daemon asks for passes.",
        templates=("Procfile", "cron.yaml", ".ebextensions/NAME.config"),
        then="beside the application, then: rota db upgrade on the same store, eb setenv ROTA_STORE=... && eb deploy",
    ),
    "compose": Host(
        help="Print a compose file: the schema, the workers and the server, of one image.",
        templates=("compose.yaml",),
        then="docker compose up; the image is made by: rota generate dockerfile",
    ),
    "dockerfile": Host(
        help="Print a Dockerfile for a small image that needs no root, with a health check.",
        templates=("Dockerfile", ".dockerignore"),
        then="docker build -t NAME .",
    ),
    "procfile": Host(
        help="Print a Procfile: for Heroku and its kin, Honcho and Foreman.",
        templates=("Procfile",),
        then="a platform that kills after 30 seconds needs: ROTA_WORKER__DRAIN=20s",
    ),
}


def remarks(host: str, site: Site) -> list[str]:
    """Return what to do with the files, and what the settings here do not fit."""
    kind = HOSTS[host]
    lines = [f"next: {kind.then.replace('NAME', site.name)}"]
    if kind.shares_no_disk and site.is_local:
        lines.append("the store is a file here: set ROTA_STORE there to one that all processes see, and that stays")
    return lines


def files_for(host: str, site: Site) -> Sequence[HostFile]:
    """Return the files of a host, filled in for a site."""
    return [
        HostFile(
            name=template.replace("NAME", site.name),
            text=rendered(f"{host}/{template}", site=site),
        )
        for template in HOSTS[host].templates
    ]


def rendered(template: str, **values: object) -> str:
    """Return a template of this package, filled in."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "Environment":
    # Here, since other commands write no file.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701  no HTML: each place says by a filter how its file quotes
        loader=PackageLoader("rota.hosts"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= QUOTING
    return environment


def _unit(value: str | Sequence[str]) -> str:
    """Quote words for a unit, in which `%` means something."""
    return " ".join(map(_unit_word, [value] if isinstance(value, str) else value))


def _unit_word(word: str) -> str:
    word = word.replace("%", "%%")
    if not any(letter in word for letter in " \"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _exec(value: str | Sequence[str]) -> str:
    """Quote words for a command in a unit, where `$` means something too."""
    return _unit(value).replace("$", "$$")


def _line(value: str) -> str:
    """Return a value that a unit takes to the end of its line, spaces and all."""
    return value.replace("%", "%%")


def _shell(value: str | Sequence[str]) -> str:
    return shlex.join([value] if isinstance(value, str) else value)


def _cron(value: str | Sequence[str]) -> str:
    """Quote words for the shell that cron starts; a bare `%` would end the line for it."""
    return _shell(value).replace("%", "\\%")


QUOTING: Mapping[str, Callable[..., str]] = {
    "unit": _unit,
    "exec": _exec,
    "line": _line,
    "shell": _shell,
    "cron": _cron,
    # YAML takes JSON, and so does a Dockerfile.
    "json": json.dumps,
    "duration": duration_text,
}
