"""The command line. Nothing heavy is imported before a command is chosen."""

import signal
import sys
from types import FrameType

from rota.cli.root import root
from rota.exits import Exit


def main() -> None:
    """Run the command with the arguments of this process, and exit with its code."""
    # `rota start` puts its own handlers in place; everything else ends here, with clean-up.
    signal.signal(signal.SIGTERM, _terminated)
    root.main(prog_name="rota")


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(Exit.TERMINATED)
