"""`rgbdsod merge`: folders of shares that were computed apart become one finished run."""

import json as json_
import shlex
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import command_line


def command(
    context: Context,
    folders: Annotated[list[str], Argument(help="Run folders of the shares.", show_default=False)],
    out: Annotated[str | None, Option(help="The folder of the whole run.", rich_help_panel="Run")] = None,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
) -> None:
    """Make one finished run of folders with a share each."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "merge")
    screen = Screen.of(context.params)
    from rgbdsod.errors import UsageError
    from rgbdsod.run.merging import merge_shares

    if out is None:
        raise UsageError("--out is missing: a folder for the whole run")
    path = merge_shares(folders, out, arguments=command_line())
    screen.header(f"merged  {len(folders)} folders")
    raise typer.Exit(_finish(path, {"--device": device}, {"--json": json, "--quiet": quiet, "--verbose": verbose}))


def _finish(folder: Path, values: dict[str, str], switches: dict[str, bool]) -> int:
    """The command that made the shares reads all of them, and writes the results."""
    from rgbdsod.cli.main import build_app

    maker = json_.loads((folder / "run.json").read_text(encoding="utf-8"))["command"]
    line = [*shlex.split(maker), "--config", str(folder / "config.toml"), "--out", str(folder)]
    line += [word for pair in values.items() for word in pair]
    line += [name for name, wanted in switches.items() if wanted]
    app = typer.main.get_command(build_app(line))
    return int(app.main(line, prog_name="rgbdsod", standalone_mode=False) or 0)
