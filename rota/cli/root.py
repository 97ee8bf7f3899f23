"""The command `rota`: its sub-commands by name, each imported when it is used."""

import importlib
import keyword
from collections.abc import Mapping
from typing import Any

import click

from rota.cli.command import global_options, guarded
from rota.cli.session import session_of
from rota.exits import MEANINGS
from rota.version import __version__

# The texts stand here so that `rota --help` imports no command; a test holds them equal to the commands' own.
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "Begin": {
        "init": "Write a small application that works: jobs, settings, the glue to a framework, and a first test.",
    },
    "Run the system": {
        "start": "Fire schedules and execute runs until stopped.",
        "serve": "Answer over HTTP: the API, triggers, health and metrics.",
        "tick": "Do one pass: fire what is due, work it off, exit.",
        "watchdog": "Find what has not succeeded in time, in a process of its own.",
    },
    "Jobs and schedules": {
        "jobs": "List jobs, or show one.",
        "schedules": "List, show and change schedules.",
        "next": "List what fires next.",
        "explain": "Say why a job, a run or a slot does not run; or a schedule in words.",
        "run": "Run a job now, for all its tenants or some.",
        "import": "Create schedules from a crontab, or the configuration of another scheduler.",
        "enqueue": "Queue one run of a job with arguments.",
        "pause": "Stop a job, a schedule, a tenant or a queue for a while; without a name, list what is paused.",
        "resume": "End a pause.",
        "mark-success": "Record slots as done without running them.",
        "reset": "Forget the progress of a job; its history stays.",
    },
    "Runs": {
        "runs": "List runs, newest first.",
        "rounds": "List rounds, newest first: firings and starts by hand, each with the sum of its runs.",
        "show": "Show a run with its attempts, a round with its tenants, or a chain or batch with its runs.",
        "logs": "Show what a run printed and logged.",
        "retry": "Run ended runs again, the failed tenants of a round, or what failed of a chain or batch.",
        "cancel": "Cancel runs that are not over.",
        "wait": "Wait until runs are over.",
        "errors": "List the errors that runs met, each once, with how often and whom it met.",
        "failures": "Count the runs that failed for good, by what they have in common.",
    },
    "Slots and freshness": {
        "slots": "Show which slots ran, failed or are missing.",
        "backfill": "Run the slots of a past time range.",
        "backfills": "List, show and change backfills.",
        "stale": "List what has not succeeded lately enough, for each tenant, the worst first.",
        "ping": "Say for a script outside of Rota that it has succeeded, or failed, or starts.",
    },
    "Operations": {
        "stats": "Show how many runs there were, how many failed, and how long they took.",
        "metrics": "Print all metrics as Prometheus reads them.",
        "status": "Say in a few lines whether all is well.",
        "alerts": "List incidents, acknowledge and mute them, and try the channels that tell of them.",
        "queues": "List queues with what waits and runs in them, or show who fills one.",
        "workers": "List the worker processes, what they run, and when each of their loops last came round.",
        "doctor": "Check app, settings, store, clock and workers.",
        "tenants": "List tenants, set what is theirs alone, or try their databases.",
        "limits": "List limits with their use, or set them for all processes.",
        "audit": "List what people changed, newest first.",
        "token": "Make, list, revoke and look at tokens and keys for the HTTP door.",
        "config": "Show and check the settings.",
        "db": "Look after the store.",
        "generate": "Write files for the systems around Rota: hosts, dashboards, alert rules, the document of the API.",
        "bench": "Measure how fast Rota is on this machine and store.",
        "completion": "Print the completion script of a shell.",
    },
}


class LazyGroup(click.Group):
    """Knows its sub-commands by name and text, and imports one when it is used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [name for group in COMMANDS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        # `import` is a word of Python's own, and no name of a module.
        name = cmd_name.replace("-", "_") + ("_" if keyword.iskeyword(cmd_name) else "")
        command = getattr(importlib.import_module(f"rota.cli.commands.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.list_commands(ctx))
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        # Parsing can fail before there is a context that could say whether JSON was asked for.
        given = list(args)
        return guarded(
            click.Context(self), given, lambda: super(LazyGroup, self).make_context(info_name, args, parent, **extra)
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        session_of(ctx)
        ctx.meta["rota.args"] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        return guarded(ctx, ctx.meta["rota.args"], lambda: super(LazyGroup, self).invoke(ctx))


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's signature
    if value:
        click.echo(f"rota {__version__}")
        ctx.exit()


root: LazyGroup = LazyGroup(
    name="rota",
    help="Scheduled and background jobs for applications with many databases.",
    epilog="Exit codes: " + "; ".join(f"{int(code)} {text}" for code, text in MEANINGS.items()) + ".",
    params=[
        *global_options(hidden=False),
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_version,
            help="Show the version and exit.",
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
