"""What every command says of itself, for docs/commands.md, where cog puts it."""

from __future__ import annotations

from click.testing import CliRunner

from autograd_tour.cli.group import cli

__all__ = ["help_pages"]


def help_pages() -> str:
    """``--help`` of the command and of each of its own, in 80 columns, as Markdown."""
    names = ["", *cli.list_commands(None)]  # type: ignore[arg-type]
    return "\n".join(_page(name) for name in names)


def _page(name: str) -> str:
    words = [name] if name else []
    result = CliRunner(env={"COLUMNS": "80"}).invoke(cli, [*words, "--help"], prog_name="autograd-tour")
    assert result.exit_code == 0, result.output
    return f"### `{' '.join(['autograd-tour', *words])}`\n\n```text\n{result.output.rstrip()}\n```\n"
