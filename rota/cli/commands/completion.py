"""`rota completion`: the shell completes commands and flags."""

import click
from click.shell_completion import get_completion_class

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session

PLACES = {
    "bash": "rota completion bash > ~/.local/share/bash-completion/completions/rota",
    "zsh": "rota completion zsh > a file called _rota in a directory of $fpath",
    "fish": "rota completion fish > ~/.config/fish/completions/rota.fish",
}


@click.command(cls=RotaCommand, store=False)
@click.argument("shell", type=click.Choice(list(PLACES)))
@pass_session
def completion(session: Session, shell: str) -> None:
    """Print the completion script of a shell."""
    found = get_completion_class(shell)
    assert found is not None
    group = click.get_current_context().find_root().command
    session.out.text(found(group, {}, "rota", "_ROTA_COMPLETE").source())
    session.out.say(f"to install: {PLACES[shell]}")
