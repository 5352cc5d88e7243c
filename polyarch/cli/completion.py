"""Print what lets a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what lets a shell complete commands, options and names.

    \b
    bash, 4.4 or newer, in ~/.bashrc:  eval "$(polyarch completion bash)"
    zsh, in ~/.zshrc:                  eval "$(polyarch completion zsh)"
    fish, once:  polyarch completion fish > ~/.config/fish/completions/polyarch.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, "polyarch", "_POLYARCH_COMPLETE").source())
