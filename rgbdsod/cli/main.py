"""The command `rgbdsod`: its sub-commands, and what each kind of error becomes: one sentence and an exit code."""

import errno
import re
import shlex
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from rgbdsod import __version__
from rgbdsod.cli.attack import attack
from rgbdsod.cli.doctor import doctor
from rgbdsod.cli.evaluate import evaluate
from rgbdsod.cli.info import info
from rgbdsod.cli.layers import LayeredCommand
from rgbdsod.cli.list import list_
from rgbdsod.cli.report import report
from rgbdsod.cli.screen import say_error
from rgbdsod.cli.train import train
from rgbdsod.errors import RgbdsodError

_CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]  # ClickException; newer typer has its own copy of click

app = typer.Typer(
    name="rgbdsod",
    help="How fragile is an RGB-D saliency model, one modality at a time?",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, command in (
    ("attack", attack),
    ("evaluate", evaluate),
    ("train", train),
    ("report", report),
    ("list", list_),
    ("info", info),
    ("doctor", doctor),
):
    app.command(name, cls=LayeredCommand)(command)


class Stopped(BaseException):
    """Ctrl-C or SIGTERM."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rgbdsod {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """How fragile is an RGB-D saliency model, one modality at a time?"""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; never raises.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    with _signals():
        try:
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
    commands = [str(registered.name) for registered in app.registered_commands]
    command = next((word for word in given if not word.startswith("-")), "")
    where = f"rgbdsod {command} --help" if command in commands else "rgbdsod --help"
    option = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    if command and command not in commands:
        text = f'no command "{command}"{_hint(command, commands)}'
    elif type(error).__name__ == "NoSuchOption" and option:
        text = f"no option {option}{_hint(option, getattr(error, 'possibilities', None) or ())}"
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
