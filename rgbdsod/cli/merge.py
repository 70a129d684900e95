"""`rgbdsod merge`: folders of shares that were computed apart become one finished run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Context, Option

from rgbdsod.cli import options
from rgbdsod.cli.layers import refuse_unknown
from rgbdsod.cli.screen import Screen
from rgbdsod.cli.sources import command_line
from rgbdsod.errors import UsageError

_DIVIDED = ("attack", "evaluate")


def command(
    context: Context,
    folders: Annotated[list[str], Argument(help="Run folders of the shares.", show_default=False)],
    out: Annotated[str | None, Option(help="The folder of the whole run.", rich_help_panel="Run")] = None,
    device: options.Device = "auto",
    run_code: Annotated[
        bool, Option("--run-code", help="Run the FILE.py that the shares name.", rich_help_panel="Run")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    progress: options.Progress = True,
) -> None:
    """Make one finished run of folders with a share each."""
    refuse_unknown(context.obj["extra"], context.obj["known"], "merge")
    screen = Screen.of(context.params)
    from rgbdsod.run.folder import RunFolder
    from rgbdsod.run.merging import merge_shares

    if out is None:
        raise UsageError("--out is missing: a folder for the whole run")
    for folder in folders:
        _refuse_code(folder, RunFolder(Path(folder), {}).previous() or {}, run_code)
    path = merge_shares(folders, out, arguments=command_line())
    screen.header(f"merged  {len(folders)} folders")
    record = RunFolder(path, {}).previous() or {}
    raise typer.Exit(_finish(record["command"], path, device, {"--json": json, "--quiet": quiet, "--verbose": verbose}))


def _refuse_code(folder: str, record: Mapping[str, Any], allowed: bool) -> None:
    """Folders come from elsewhere, and what their settings name is run when the results are written."""
    command, settings = record.get("command"), record.get("settings")
    if record and command not in _DIVIDED:
        raise UsageError(f"{folder} was not made by attack or evaluate, which alone have shares to merge")
    own = settings if isinstance(settings, dict) else {}
    named = [
        str(own[key]) for key in ("model", "plugin") if own.get(key) and (key == "plugin" or ".py" in str(own[key]))
    ]
    if named and not allowed:
        raise UsageError(f"{folder} names code, {', '.join(named)}; if you trust it, add --run-code")


def _finish(maker: str, folder: Path, device: str, switches: Mapping[str, bool]) -> int:
    """The command that made the shares reads all of them, and writes the results."""
    from rgbdsod.cli.main import build_app

    line = [maker, "--config", str(folder / "config.toml"), "--out", str(folder), "--device", device]
    line += [name for name, wanted in switches.items() if wanted]
    app = typer.main.get_command(build_app(line))
    return int(app.main(line, prog_name="rgbdsod", standalone_mode=False) or 0)
