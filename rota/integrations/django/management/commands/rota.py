"""`manage.py rota ...`: every command of `rota`, on this project."""

import os
import sys
from argparse import REMAINDER, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rota.cli.root import root
from rota.integrations.django.configuration import PLACE

PATH = "PYTHONPATH"


class Command(BaseCommand):
    """Runs `rota` with this project as its application."""

    help = "Run a command of Rota on this project: manage.py rota status; manage.py rota --help lists them."

    def run_from_argv(self, argv: list[str]) -> None:
        """Leave all words to Rota: Django would take `--help`, `--version` and `--verbosity` for its own. But for the
        two that it has read before it came here."""
        read = ArgumentParser(add_help=False, allow_abbrev=False)
        read.add_argument("--settings")
        read.add_argument("--pythonpath")
        self.check()
        self._run(read.parse_known_args(argv[2:])[1])

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs=REMAINDER)

    def handle(self, *_: Any, words: list[str], **__: Any) -> None:
        """Run the command that `call_command("rota", ...)` names."""
        self._run(words)

    def _run(self, words: list[str]) -> None:
        # Worker processes are Python programs of their own: they are to find what this one has found.
        os.environ["ROTA_APP"] = PLACE
        os.environ[PATH] = os.pathsep.join(dict.fromkeys([sys.path[0], *filter(None, [os.environ.get(PATH)])]))
        root.main(args=words, prog_name="manage.py rota")
