"""How every command is declared: global flags in any place, exit codes in its help, errors as messages."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import IO, Any, TypeVar

import click

from rota.cli.output import Form
from rota.cli.session import session_of
from rota.core.safe import safe_text
from rota.exits import MEANINGS, Exit, code_of, exit_of, hint_of
from rota.redaction import redacted
from rota.version import __version__

Returned = TypeVar("Returned")
ALWAYS = {Exit.OK: MEANINGS[Exit.OK], Exit.USAGE: MEANINGS[Exit.USAGE], Exit.UNREACHABLE: MEANINGS[Exit.UNREACHABLE]}


class RotaCommand(click.Command):
    """A command that takes the global flags and says in its help what it ends with."""

    def __init__(self, *args: Any, exits: Mapping[Exit, str] | None = None, store: bool = True, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        always = {code: text for code, text in ALWAYS.items() if store or code is not Exit.UNREACHABLE}
        self.exits: dict[Exit, str] = dict(sorted((always | dict(exits or {})).items()))
        self.params: list[click.Parameter] = [*self.params, *global_options(hidden=True)]

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), text) for code, text in self.exits.items()])
        formatter.write_paragraph()
        formatter.write_text("Global flags, such as --json, --app and --tz, are listed by: rota --help")


class RotaGroup(click.Group):
    """A command with sub-commands, one of which may be meant when none is named."""

    def __init__(self, *args: Any, default: str | None = None, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self._default = default
        self.params: list[click.Parameter] = [*self.params, *global_options(hidden=True)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # A first word that is no flag is meant as a sub-command, so that a mistyped one is named.
        named = args and (not args[0].startswith("-") or any(word in self.commands for word in args))
        if self._default and not named and not any(word in ctx.help_option_names for word in args):
            args = [self._default, *args]
        return super().parse_args(ctx, args)


class CommandFailed(click.ClickException):
    """An error, as it is shown: one line for people, one document for programs."""

    def __init__(self, error: BaseException, *, as_json: bool) -> None:
        self.exit_code: int = int(exit_of(error))  # type: ignore[misc]  # click means it to be set
        message, hint = _told(error)
        super().__init__(message)
        self.hint: str | None = hint
        self.code: str = code_of(error)
        self.as_json: bool = as_json

    def show(self, file: IO[Any] | None = None) -> None:
        stream = file or sys.stderr
        if self.as_json:
            facts = {"code": self.code, "message": self.message, "hint": self.hint, "exit": self.exit_code}
            print(json.dumps({"error": facts}), file=stream, flush=True)
            return
        print(f"rota: {self.message}", file=stream, flush=True)
        if self.hint:
            print(f"try: {self.hint}", file=stream, flush=True)


class UsageFailed(CommandFailed):
    """The line itself is wrong."""

    def __init__(self, error: click.ClickException, *, as_json: bool) -> None:
        click.ClickException.__init__(self, safe_text(redacted(error.format_message())))
        self.exit_code: int = int(Exit.USAGE)  # type: ignore[misc]  # click means it to be set
        self.code = "usage"
        self.as_json = as_json
        ctx = getattr(error, "ctx", None)
        self.hint: str | None = f"{ctx.command_path} --help" if ctx is not None else None


def global_options(*, hidden: bool) -> list[click.Option]:
    """Return the flags that stand before or after the sub-command; both places mean the same."""

    def option(
        *names: str, to: str, text: str, take: Callable[[Any], object] = lambda value: value, **attrs: Any
    ) -> click.Option:
        def remember(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
            if value and not ctx.resilient_parsing:
                session_of(ctx).set(to, take(value))

        return click.Option(
            names, expose_value=False, hidden=hidden, is_eager=True, callback=remember, help=text, **attrs
        )

    return [
        option(
            "--app",
            to="app",
            metavar="MODULE:NAME",
            text="The Rota object. Default: the one in app.py, jobs.py or main.py.",
        ),
        option("--config", to="config", metavar="FILE", text="Default: rota.toml, or [tool.rota] in pyproject.toml."),
        option("--profile", to="profile", metavar="NAME", text="Lay [profile.NAME] of the file over the rest."),
        option(
            "--url",
            "_url",
            to="url",
            metavar="URL",
            text="Ask this server, with ROTA_TOKEN. Or ROTA_URL.",
        ),
        option(
            "-o",
            "--output",
            "_output",
            to="output",
            take=Form,
            type=click.Choice([str(form) for form in Form]),
            text="How results are written.",
        ),
        option("--json", "_json", to="output", take=lambda _: Form.JSON, is_flag=True, text="The same as -o json."),
        option("-q", "--quiet", "_quiet", to="quiet", count=True, text="Say less on standard error."),
        option("-v", "--verbose", "_verbose", to="verbose", count=True, text="Say more; with a bug, its traceback."),
        option("--color", to="color", type=click.Choice(["auto", "always", "never"]), text="Default: auto."),
        option("--no-progress", to="no_progress", is_flag=True, text="No progress bar."),
        option("--yes", "-y", "_yes", to="yes", is_flag=True, text="Do not ask."),
        option(
            "--tz", to="zone", metavar="ZONE", text="Read and show times in this zone. Default: the setting timezone."
        ),
        option("--utc", to="zone", take=lambda _: "UTC", is_flag=True, text="The same as --tz UTC."),
    ]


def guarded(ctx: click.Context, args: Sequence[str], call: Callable[[], Returned]) -> Returned:
    """Call, and turn whatever goes wrong into a message and an exit code: the one place that does."""
    try:
        return call()
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError, CommandFailed, BrokenPipeError):
        raise
    except click.Abort as error:
        raise CommandFailed(KeyboardInterrupt(), as_json=_wants_json(args)) from error
    except click.ClickException as error:
        raise UsageFailed(error, as_json=_wants_json(args)) from error
    except (Exception, KeyboardInterrupt) as error:
        if exit_of(error) is Exit.BUG and session_of(ctx).flags.verbose:
            traceback.print_exception(error)
        raise CommandFailed(error, as_json=_wants_json(args)) from error


def _told(error: BaseException) -> tuple[str, str | None]:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", None
    if exit_of(error) is Exit.BUG:
        message = f"a bug in Rota {__version__}: {type(error).__name__}: {safe_text(redacted(str(error)))}"
        return message, "run it again with -v and report what it prints"
    return safe_text(redacted(str(error))), hint_of(error)


def _wants_json(args: Sequence[str]) -> bool:
    # The line may be what is wrong, so it is read without the parser.
    told = [second for first, second in pairwise(args) if first in ("-o", "--output")]
    return any(word in ("--json", "-ojson", "-ondjson", "--output=json", "--output=ndjson") for word in args) or any(
        form in ("json", "ndjson") for form in told
    )
