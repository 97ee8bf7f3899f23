"""`flask rota ...`: every command of `rota`, on this application."""

from typing import Any

import click
from flask import has_app_context
from flask.cli import ScriptInfo

from rota.cli.root import LazyGroup, root
from rota.integrations.flask.loading import PLACE, tell_processes, use_current


class UnderFlask(LazyGroup):
    """The commands of `rota`, which are told the application in whose name they are called."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read a command line. Worker processes get the same words, and are Python programs of their own."""
        info = None if parent is None else parent.find_object(ScriptInfo)
        if parent is not None and info is not None:
            if info.app_import_path:
                tell_processes(info.app_import_path)
            if not has_app_context():
                parent.with_resource(info.load_app().app_context())
            use_current()
        return super().make_context(info_name, ["--app", PLACE, *args] if args else args, parent, **extra)


command: UnderFlask = UnderFlask(
    name=root.name,
    help=root.help,
    epilog=root.epilog,
    params=root.params,
    context_settings=root.context_settings,
    no_args_is_help=True,
)
"""In `app.cli`."""
