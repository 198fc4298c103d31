"""The command and its subcommands, each read only when it is used."""

from __future__ import annotations

from importlib import import_module

import click

from autograd_tour.cli.common import TourCommand, TourGroup, answer

__all__ = ["cli"]

_COMMANDS = {
    "diff": "Tell two runs apart: what is added, gone or changed, as a picture and a table.",
    "explain": "Say why a gradient is None, zero, NaN, wrong or an error, and which line caused it.",
    "info": "Tell versions, the layout engines found, and which one is used.",
    "lesson": "Tell one stop of the tour in the terminal.",
    "lessons": "List the stops of the tour.",
    "quiz": "Ask about a program: predict a number, then see what autograd did.",
    "render": "Draw what autograd did with a program: pictures, report and trace.",
    "schema": "Write the JSON Schema of saved traces.",
    "tour": "Write the tour of autograd: stops with code, predictions, feedback and pictures.",
    "verify": "Hold the record of a program against everything that does not depend on it.",
}


class _LazyGroup(TourGroup):
    """Knows its subcommands by name and summary, and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"{__package__}.{cmd_name}").command
        assert isinstance(command, TourCommand)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            self.no_such_command(ctx, args[0], list(_COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _show_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:  # noqa: ARG001
    if wanted and not ctx.resilient_parsing:
        from autograd_tour import __version__

        answer(f"autograd-tour {__version__}")
        ctx.exit()


@click.command(
    cls=_LazyGroup,
    examples=(
        ("autograd-tour render", "the thermometer, into outputs/"),
        ("autograd-tour render net.py:loss", "a program of your own"),
        ("autograd-tour diff before.json net.py:loss", "what changed between two runs"),
        ("autograd-tour explain net.py:train", "what is wrong with its gradients, and which line"),
        ("autograd-tour quiz net.py:loss", "predict, then see"),
        ("autograd-tour verify net.py:loss", "hold the record against what does not depend on it"),
        ("autograd-tour tour", "stops on autograd as a site, into tour/"),
        ("autograd-tour info", "versions and layout engines"),
    ),
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version.",
)
def cli() -> None:
    """See what PyTorch's autograd did with a program."""
