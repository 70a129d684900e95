"""`rgbdsod doctor`: does this installation work, and are these data as they should be?"""

from dataclasses import asdict
from typing import Annotated

from typer import Exit, Option

from rgbdsod.cli import options
from rgbdsod.cli.screen import Screen
from rgbdsod.errors import CheckError

_MARKS = {"ok": "ok  ", "warning": "note", "failed": "FAIL"}


def command(
    data: Annotated[str | None, Option(help="Also look at this folder of images.")] = None,
    json: options.Json = False,
) -> None:
    """Check Python, torch, device, folders, weights and data; run a short self-test."""
    from rgbdsod.run.doctor import examine, examine_data

    screen = Screen(as_json=json)
    checks = []
    for source in (examine(), examine_data(data) if data is not None else ()):
        for check in source:
            checks.append(check)
            screen.result(f"{_MARKS[check.status]}  {check.name.ljust(20)}  {check.text}")
    failed = [check.name for check in checks if check.status == "failed"]
    if json:
        screen.document({"schema": "rgbdsod.doctor/1", "ok": not failed, "checks": [asdict(c) for c in checks]})
    if failed:
        if not json:
            screen.result(f"{len(failed)} of {len(checks)} checks failed: {', '.join(dict.fromkeys(failed))}")
        raise Exit(CheckError.code)
