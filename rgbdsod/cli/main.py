"""The command `rgbdsod`: its sub-commands, and what each kind of error becomes: one sentence and an exit code."""

import errno
import os
import re
import shlex
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from rgbdsod import __version__
from rgbdsod.cli.layers import LayeredCommand
from rgbdsod.cli.ranked import one_voice, refuse_undivided, say_error
from rgbdsod.errors import RgbdsodError

_COMPLETION = "_RGBDSOD_COMPLETE"  # set by the shell when it asks what could come next

_CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]  # ClickException; newer typer has its own copy of click

COMMANDS = {
    "attack": "Make adversarial examples, and measure the maps before and after.",
    "evaluate": "Measure the maps of a model, or of ready maps.",
    "defend": "Put defences before a network, and attack it without and with knowledge of them.",
    "train": "Train or fine-tune a network; the same command continues a training that was stopped.",
    "interpolate": "Write networks between a clean and a hardened one, and measure what each withstands.",
    "ablate": "Train designs that differ in one thing, attack each input of each, and compare.",
    "universal": "Fit one noise for all images of a set, and measure it on others.",
    "generator": "Train a generator of perturbations, or of images, for attacks that draw instead of searching.",
    "transfer": "Attack each of several models, and measure all of them on the results.",
    "clip": "Attack and harden zero-shot classification by dual encoders of images and texts.",
    "patch": "Make patches on colour, depth or both, lay saved ones on other images, export what was attacked.",
    "bench": "Run grids of attacks on networks of two kinds, in one table; or the leaderboard of defences.",
    "merge": "Make one finished run of folders with a share each, which were computed apart.",
    "hha": "Turn depth maps into HHA images: disparity, height above ground, angle with gravity.",
    "report": "Make a self-contained page, or tables, from run folders.",
    "list": "List models, attacks, objectives, data sets and metrics.",
    "info": "Show parameters with defaults, paper, weights and licence of a name.",
    "doctor": "Check Python, torch, device, folders, weights and data; run a short self-test.",
}
"""Each is the function `command` of the module of its name; one of `GROUPS` is several, `COMMANDS` of that module."""

_UNUSABLE = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)
"""What an operating system says of a path that a user named."""

GROUPS = ("universal", "generator", "clip", "patch")


class Stopped(BaseException):
    """Ctrl-C or SIGTERM."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rgbdsod {__version__}")
        raise typer.Exit


def main(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """How fragile is an RGB-D saliency model, one modality at a time?"""


def build_app(wanted: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line.

    Args:
        wanted: commands that will be called; the others are only named, since building their flags takes a while.
    """
    app = typer.Typer(
        name="rgbdsod",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(main)
    for name, text in COMMANDS.items():
        if name in GROUPS and name in wanted:
            app.add_typer(_load_group(name), name=name, help=text)
        else:
            function = _load(name) if name in wanted else _only_named
            app.command(name, cls=LayeredCommand, help=text)(function)
    return app


def _load(name: str) -> Callable[..., None]:
    function: Callable[..., None] = import_module(f"rgbdsod.cli.{name}").command
    return function


def _load_group(name: str) -> typer.Typer:
    group = typer.Typer(no_args_is_help=True)
    for action, function in import_module(f"rgbdsod.cli.{name}").COMMANDS.items():
        group.command(action, cls=LayeredCommand)(function)
    return group


def _only_named() -> None:
    """Stands for a command that is not called."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; never raises.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code.
    """
    # Read when torch is imported. By default its threads spin while they wait for one another, which takes a hundred
    # times as long as the work when another process uses the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    with _signals(), one_voice():
        try:
            refuse_undivided(given[0])
            app = build_app(COMMANDS if _COMPLETION in os.environ else given)
            return int(typer.main.get_command(app).main(given, prog_name="rgbdsod", standalone_mode=False) or 0)
        except RgbdsodError as error:
            say_error(str(error))
            return error.code
        except Stopped as stop:
            say_error(f"stopped; what was finished is kept, continue with: {shlex.join(['rgbdsod', *given])}")
            return stop.code
        except Exception as error:
            return _explain(error, given)


def _explain(error: Exception, given: list[str]) -> int:
    """What an error that is not ours becomes."""
    if isinstance(error, typer.Abort):
        return 1
    if isinstance(error, _CLICK_ERROR):
        return _explain_usage(error, given)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        say_error("no space left on the disk; free some and give the same command again")
        return 3
    if isinstance(error, OSError) and error.filename is not None and error.errno in _UNUSABLE:
        say_error(f"{error.filename}: {(error.strerror or '').lower()}; name another file")
        return 3
    path = Path(tempfile.gettempdir()) / "rgbdsod-traceback.txt"
    try:
        path.write_text(f"{shlex.join(['rgbdsod', *given])}\n\n{traceback.format_exc()}", encoding="utf-8")
        where = f"the traceback is in {path}"
    except OSError:
        where = "its traceback could not be written"
    say_error(f"a bug here: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''} ({where})")
    return 1


def _explain_usage(error: Exception, given: list[str]) -> int:
    """A wrong command, flag or value, found by the parser."""
    command = next((word for word in given if not word.startswith("-")), "")
    context = getattr(error, "ctx", None)
    where = f"{context.command_path if context else 'rgbdsod'} --help"
    option = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    if command and command not in COMMANDS:
        text = f'no command "{command}"{_hint(command, COMMANDS)}'
    elif type(error).__name__ == "NoSuchOption" and option:
        text = f"no option {option}{_hint(option, getattr(error, 'possibilities', None) or ())}"
    elif type(error).__name__ == "MissingParameter" and parameter is not None:
        text = f"{str(parameter.name).upper()} is missing"
    else:
        text = re.sub(r"\s+", " ", str(getattr(error, "message", error))).rstrip(".")
        text = f"{text[:1].lower()}{text[1:]}"
        if parameter is not None and getattr(parameter, "opts", None):
            text = f"{parameter.opts[-1]}: {text}"
    say_error(f"{text} ({where})")
    return 2


def _hint(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    if not close:
        return ""
    return f"; did you mean {close[0]}?" if word.startswith("-") else f'; did you mean "{close[0]}"?'


@contextmanager
def _signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM become `Stopped`, so that everything on the way is tidied up."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(128 + number)

    try:
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: whoever owns it handles signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
