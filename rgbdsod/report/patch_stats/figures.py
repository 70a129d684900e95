"""Figures of patches beside photographs: radial spectra, distances, and strength against distance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbdsod.errors import DataError
from rgbdsod.report.ablation.standalone import standalone
from rgbdsod.report.svg import INK, MUTED, RULE, RUNS, page_style, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]

_SIZE = (5.2, 3.4)
_BINS = 32
_BESIDE = ("crops", "smooth", "noise")  # of what is measured beside patches, the spectra that are drawn
_STYLES = (":", "-.", (0, (1, 4)))


def spectra_figure(metrics: Mapping[str, Any], prefix: str) -> str:
    """Radial power of each set in its file (drawn through) and as an image shows it (dashed), beside crops and noise.

    Args:
        metrics: content of the run's metrics.json.
        prefix: makes element ids unique.
    """
    from matplotlib.figure import Figure

    with page_style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.tick_params(color=RULE, which="both")
        for own in metrics["beside"]:
            if own["id"] in _BESIDE and own["file"] is not None:
                _line(axes, own["file"], MUTED, _STYLES[_BESIDE.index(own["id"])], own["id"])
        for place, own in enumerate(metrics["sets"]):
            colour = RUNS[place % len(RUNS)]
            for part, style in (("file", "-"), ("seen", "--")):
                if own[part] is not None:
                    _line(axes, own[part], colour, style, own["id"] if part == "file" else "")
        axes.set(xscale="log", yscale="log", xlabel="cycles per pixel", ylabel="share of the power")
        axes.set_xticks([0.05, 0.1, 0.2, 0.4], ["0.05", "0.1", "0.2", "0.4"])
        axes.set_xticks([], minor=True)
        axes.legend(frameon=False, labelcolor=INK, fontsize=7)
        return to_svg(figure, prefix, "Radial spectra of patches, crops, smooth pictures and noise")


def distances_figure(metrics: Mapping[str, Any], prefix: str) -> str:
    """Distance of each set from crops; where strengths are known, strength against distance.

    Args:
        metrics: content of the run's metrics.json.
        prefix: makes element ids unique.
    """
    from matplotlib.figure import Figure

    strong = [own for own in metrics["sets"] if own["effect"]]
    with page_style():
        figure = Figure(figsize=(_SIZE[0] * (2 if len(strong) > 1 else 1), _SIZE[1]), layout="constrained")
        panels = figure.subplots(1, 2 if len(strong) > 1 else 1, squeeze=False)[0]
        _bars(panels[0], [*metrics["sets"], *metrics["beside"]], metrics["name"])
        if len(strong) > 1:
            _curve(panels[1], strong, metrics)
        return to_svg(figure, prefix, f"{metrics['name']} of patches from crops of {metrics['reference']}")


def write_stats_figures(metrics: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """Write `spectra.svg` and `distances.svg`, each self-contained.

    Args:
        metrics: content of the run's metrics.json.
        folder: where they go.

    Raises:
        DataError: a file cannot be written.
    """
    drawn = {"spectra.svg": spectra_figure(metrics, "spectra"), "distances.svg": distances_figure(metrics, "distances")}
    made = []
    for name, svg in drawn.items():
        path = Path(folder) / name
        try:
            path.write_text(standalone(svg), encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
        made.append(path)
    return made


def _line(axes: "Axes", found: Row, colour: str, style: Any, label: str) -> None:
    """One profile; its lowest ring holds what the window spreads of the mean."""
    radii = [(at + 0.5) / _BINS / 2 for at in range(_BINS)]
    pairs = [pair for pair in zip(radii, found["profile"], strict=True) if pair[1] > 0][1:]
    axes.plot(*zip(*pairs, strict=True), color=colour, linestyle=style, label=label or None, linewidth=1.3)


def _bars(axes: "Axes", rows: Sequence[Row], name: str) -> None:
    places = range(len(rows))
    colours = [RUNS[0] if "patches" in own else MUTED for own in rows]
    axes.barh(places, [max(own["distance"]["frechet"], 0) for own in rows], color=colours)
    axes.set_yticks(places, [own["id"] for own in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"{name} from crops")
    axes.tick_params(color=RULE)
    axes.grid(visible=False, axis="y")


def _curve(axes: "Axes", strong: Sequence[Row], metrics: Mapping[str, Any]) -> None:
    for own in strong:
        effect, distance = own["effect"], own["distance"]["frechet"]
        axes.vlines(distance, effect["low"], effect["high"], color=RUNS[0], linewidth=0.9)
        axes.scatter([distance], [effect["mean"]], color=RUNS[0], s=18, zorder=3)
        axes.annotate(own["id"], (distance, effect["mean"]), xytext=(4, 4), textcoords="offset points", color=MUTED,
                      fontsize=7)  # fmt: skip
    axes.set(xlabel=f"{metrics['name']} from crops", ylabel="IoU lost beyond the worst control")
    axes.tick_params(color=RULE)
