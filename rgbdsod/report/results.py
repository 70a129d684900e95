"""Tables and headlines of one run that measured maps."""

from collections.abc import Mapping
from typing import Any

from rgbdsod.report.reading import Run
from rgbdsod.report.tables import Column, Row, Table, change, print_cell
from rgbdsod.report.values import (
    MAIN,
    PROTOCOLS,
    attacked_inputs,
    attacked_values,
    better,
    clean_values,
    results,
    rows_of,
    state_of,
    title,
)
from rgbdsod.report.view import Headline
from rgbdsod.report.wording import INPUTS, NORMS, SPOKEN, show_eps, show_radii, show_rule

_HEADLINES = ("sm", "mae", "fm_max", "iou_bin")
_PER_IMAGE = ("sm", "mae", "iou_bin")
_MOST_ROWS = 2000  # more would weigh a page down
_ARROWS = {"up": "↑", "down": "↓", "": ""}
STATES = {"fooled": "fooled", "held": "not fooled", "below": "failed before the attack"}


def headlines(run: Run) -> tuple[Headline, ...]:
    """A few large numbers, benchmark protocol; with several radii those of the last."""
    clean, found = clean_values(run), results(run)
    names = [name for name in _HEADLINES if name in clean]
    if not found:
        return tuple(Headline(_spoken(run, name), print_cell(clean[name])) for name in names)
    last = found[-1]
    after = attacked_values(last)
    numbers = [
        Headline(_spoken(run, name), print_cell(clean[name]), print_cell(after[name]), _interval(run, last, name))
        for name in names
    ]
    before = f"{last['fooled_before']} before the attack"
    fooled = Headline(
        "Fooled", f"{last['fooled']} of {run.metrics['images']}", more=f"{show_rule(last['success'])}; {before}"
    )
    return (*numbers, fooled)


def headline_note(run: Run) -> str:
    """What the large numbers are."""
    if not results(run):
        return "Benchmark protocol."
    return "Benchmark protocol; in brackets the 95 % interval of the mean change over the images (paired bootstrap)."


def _spoken(run: Run, name: str) -> str:
    return f"{SPOKEN.get(name, title(run, name))} {_ARROWS[better(run, name)]}"


def _interval(run: Run, result: Mapping[str, Any], name: str) -> str:
    """The change, with its interval where the run has one."""
    text = print_cell(change(clean_values(run)[name], attacked_values(result)[name]), "change")
    interval = result.get("change", {}).get(name)
    if interval is None:
        return text
    low, high = (print_cell(interval[end], "change") for end in ("low", "high"))
    return f"{text} [{low}, {high}]"


def tables(run: Run) -> tuple[Table, ...]:
    """All tables of a run, most important first."""
    found = results(run)
    if not found:
        return (_clean_table(run),)
    several = [_radius_table(run, protocol) for protocol in PROTOCOLS] if len(found) > 1 else []
    pair = [_protocol_table(run, found[-1], protocol, name_radius=len(found) > 1) for protocol in PROTOCOLS]
    return (*several, *pair, _change_table(run), _saving_table(run, found[-1]), *_health_table(run))


def protocol_note(run: Run, protocol: str) -> str:
    """What the protocol does to a map, as the run recorded it."""
    return str(run.metrics.get("protocols", {}).get(protocol, ""))


def _protocol_table(run: Run, result: Mapping[str, Any], protocol: str, *, name_radius: bool) -> Table:
    clean, after = clean_values(run, protocol), attacked_values(result, protocol)
    radius = f", radius {show_radii(result['budget'])}" if name_radius else ""
    return Table(
        f"{protocol.capitalize()} protocol{radius}",
        (Column("metric", "text"), Column("clean"), Column("attacked"), Column("change", "change")),
        tuple(
            Row(
                (title(run, name), clean[name], after.get(name), change(clean[name], after.get(name))),
                better(run, name),
            )
            for name in clean
        ),
        protocol_note(run, protocol),
    )


def _clean_table(run: Run) -> Table:
    values = [clean_values(run, protocol) for protocol in PROTOCOLS]
    notes = [f"{protocol}: {protocol_note(run, protocol)}" for protocol in PROTOCOLS]
    return Table(
        "Measures",
        (Column("metric", "text"), *(Column(protocol) for protocol in PROTOCOLS)),
        tuple(Row((title(run, name), *(own[name] for own in values)), better(run, name)) for name in values[0]),
        "; ".join(notes),
    )


def _radius_table(run: Run, protocol: str) -> Table:
    """One row for each radius, and each image under the radius that hurt it most."""
    found, clean = results(run), clean_values(run, protocol)
    names = [name for name in MAIN if name in clean]
    lines: list[tuple[str, Mapping[str, float], int]] = [("clean", clean, found[0]["fooled_before"])]
    lines += [(show_radii(own["budget"]), attacked_values(own, protocol), own["fooled"]) for own in found]
    if "worst" in run.metrics:
        worst = run.metrics["worst"]
        lines.append(("worst of each image", worst[protocol]["values"], worst["fooled"]))
    heads = (Column(title(run, name), better=better(run, name)) for name in names)
    return Table(
        f"By radius, {protocol} protocol",
        (Column("radius", "text"), *heads, Column("fooled")),
        tuple(Row((label, *(values[name] for name in names), fooled)) for label, values, fooled in lines),
    )


def _change_table(run: Run) -> Table:
    """What was allowed for each input, what the files hold, and how visible it is."""
    rows = []
    for result in results(run):
        for name in attacked_inputs(result):
            own, seen = result["budget"][name], result.get("perturbation", {}).get(name, {})
            rows.append(
                Row(
                    (
                        INPUTS.get(name, name),
                        f"{NORMS.get(own['norm'], own['norm'])} {show_eps(own['eps'], own['norm'])}",
                        f"{own['measured']:.5g}",
                        f"{seen['l2']:.4g}" if seen.get("l2") is not None else None,
                        f"{seen['psnr']:.1f} dB" if seen.get("psnr") is not None else None,
                        seen.get("ssim"),
                    )
                )
            )
    untouched = [INPUTS.get(name, name) for name, own in results(run)[-1]["budget"].items() if not own["eps"]]
    note = "on the saved files, in units of the [0, 1] input; L2, PSNR and SSIM are means over the images"
    return Table(
        "Change of the inputs",
        (Column("input", "text"), Column("allowed"), Column("largest"), Column("L2"), Column("PSNR"), Column("SSIM")),
        tuple(rows),
        note + (f"; untouched: {', '.join(untouched)}" if untouched else ""),
    )


def _saving_table(run: Run, result: Mapping[str, Any]) -> Table:
    before, after = attacked_values(result, view="float"), attacked_values(result)
    names = [name for name in MAIN if name in after]
    rows = [
        Row((title(run, name), before[name], after[name], change(before[name], after[name])), better(run, name))
        for name in names
    ]
    fooled = Row(
        ("fooled", result["fooled_float"], result["fooled"], result["fooled"] - result["fooled_float"]),
    )
    return Table(
        "What saving changes",
        (Column("metric", "text"), Column("float32"), Column("saved files"), Column("change", "change")),
        (*rows, fooled),
        "the attack's result, and the same rounded to the levels of image files inside the budget, written, read back "
        "and measured again (benchmark protocol); every other number on this page is of the saved files",
    )


def _health_table(run: Run) -> tuple[Table, ...]:
    """Whether the figures can be believed; runs of older versions have no checks."""
    checks = run.metrics.get("health", [])
    rows = tuple(
        Row((check["name"], "passed" if check["passed"] else "FAILED", f"{check['found']} {check['advice']}".strip()))
        for check in checks
    )
    full = run.record.get("settings", {}).get("check")
    note = "on a few of the images" if full else "from the run's own numbers; `rgbdsod attack --check` asks more"
    columns = (Column("check", "text"), Column("", "text"), Column("what was found", "text"))
    return (Table("Health checks", columns, rows, note, prose=True),) if checks else ()


def image_table(run: Run) -> Table:
    """A row per image (and radius), raw protocol."""
    columns, lines = _attacked_lines(run) if results(run) else _clean_lines(run)
    note = "raw protocol"
    if len(lines) > _MOST_ROWS:
        note += f"; the first {_MOST_ROWS} of {len(lines)} rows, all are in the run folder's table"
    return Table("Numbers per image", columns, tuple(lines[:_MOST_ROWS]), note)


def _clean_lines(run: Run) -> tuple[tuple[Column, ...], list[Row]]:
    names = [name for name in MAIN if run.rows and f"clean_{name}_raw" in run.rows[0]]
    heads = (Column(title(run, name), better=better(run, name)) for name in names)
    lines = [Row((str(row["id"]), *(row[f"clean_{name}_raw"] for name in names))) for row in run.rows]
    return (Column("id", "text"), *heads), lines


def _attacked_lines(run: Run) -> tuple[tuple[Column, ...], list[Row]]:
    found = results(run)
    several = len(found) > 1
    columns = [Column("id", "text"), *([Column("radius", "text")] if several else [])]
    for name in _PER_IMAGE:
        label = title(run, name)
        columns += [
            Column(f"{label} clean"),
            Column(f"{label} attacked"),
            Column("change", "change", better(run, name)),
        ]
    lines = []
    for turn, result in enumerate(found):
        radius = (show_radii(result["budget"]),) if several else ()
        lines += [Row((str(row["id"]), *radius, *_triples(row), STATES[state_of(row)])) for row in rows_of(run, turn)]
    return (*columns, Column("state", "text")), lines


def _triples(row: Mapping[str, Any]) -> list[float | None]:
    cells: list[float | None] = []
    for name in _PER_IMAGE:
        clean, after = row[f"clean_{name}_raw"], row[f"attacked_{name}_raw"]
        cells += [clean, after, change(clean, after)]
    return cells
