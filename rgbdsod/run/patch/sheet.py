"""A patch to print: at a size in millimetres, with marks to check the size and to cut along."""

import io
from pathlib import Path

import numpy as np

from rgbdsod.attacks.patch.patch import Patch
from rgbdsod.errors import DataError, UsageError

FORMATS = (".pdf", ".png")

_PAPER = (210.0, 297.0)  # A4, in millimetres
_MARGIN = 25.0
_INCH = 25.4
_DPI = 300
_MARK = 8.0  # length of a cutting mark
_RULER = 50.0


def print_sheet(patch: Patch, file: str | Path, *, width: float = 150.0) -> Path:
    """Write a sheet of A4 with the patch at a width, a ruler, cutting marks, and what is known of it.

    Args:
        patch: what is printed; one of depth alone has nothing to print.
        file: .pdf or .png (300 dots an inch).
        width: of the patch in millimetres.

    Returns:
        The file.

    Raises:
        UsageError: nothing to print, another format, or a width that the paper has no room for.
        DataError: the file cannot be written.
    """
    path = Path(file)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"--sheet {path}: expected a name that ends in .pdf or .png")
    if patch.content is None:
        raise UsageError("the patch is for depth alone, so there is nothing to print; make one with --modality rgb")
    rows, columns = patch.alpha.shape[-2:]
    height, most = width * rows / columns, _PAPER[0] - 2 * _MARGIN
    if not 0 < width <= most or height > _PAPER[1] - 4 * _MARGIN:
        raise UsageError(f"--sheet-width {width:g}: a sheet has room for {most:g} x {_PAPER[1] - 4 * _MARGIN:g} mm")
    content = _drawn(patch, width, height, path.suffix.lower()[1:])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
    return path


def _drawn(patch: Patch, width: float, height: float, kind: str) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_PAPER[0] / _INCH, _PAPER[1] / _INCH))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _PAPER[0]), ylim=(0, _PAPER[1]))
    axes.axis("off")
    left, bottom = (_PAPER[0] - width) / 2, _PAPER[1] - 2 * _MARGIN - height
    axes.imshow(_pixels(patch), extent=(left, left + width, bottom, bottom + height), interpolation="nearest")
    axes.set(xlim=(0, _PAPER[0]), ylim=(0, _PAPER[1]), aspect="equal")
    for x, outward in ((left, -1), (left + width, 1)):
        for y, away in ((bottom, -1), (bottom + height, 1)):
            axes.plot([x + 2 * outward, x + _MARK * outward], [y, y], color="black", linewidth=0.5)
            axes.plot([x, x], [y + 2 * away, y + _MARK * away], color="black", linewidth=0.5)
    foot = bottom - _MARGIN / 2
    axes.plot([left, left + _RULER], [foot, foot], color="black", linewidth=0.8)
    for tick in range(0, round(_RULER) + 1, 10):
        axes.plot([left + tick, left + tick], [foot, foot + 2], color="black", linewidth=0.5)
    axes.text(left + _RULER + 3, foot, f"{_RULER:g} mm: print at 100 %, and measure", fontsize=8, va="center")
    axes.text(left, foot - 6, _caption(patch, width, height), fontsize=8, va="top")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=_DPI, metadata={"CreationDate": None} if kind == "pdf" else None)
    return buffer.getvalue()


def _pixels(patch: Patch) -> "np.ndarray":
    """Colours on white paper, (h,w,3) in [0, 1]."""
    alpha = patch.alpha.cpu().numpy().transpose(1, 2, 0)
    colour = np.zeros(3) if patch.content is None else patch.content.cpu().numpy().transpose(1, 2, 0)
    found: np.ndarray = np.clip(alpha * colour + 1 - alpha, 0, 1)
    return found


def _caption(patch: Patch, width: float, height: float) -> str:
    """What is known of the patch, one fact a line."""
    facts = patch.facts
    lines = [f"{width:g} x {height:g} mm, {patch.alpha.shape[-1]} x {patch.alpha.shape[-2]} pixels"]
    lines += [f"{name}: {facts[key]}" for name, key in
              (("made for", "model"), ("goal", "patch_goal"), ("transforms", "transforms"), ("seed", "seed"))
              if key in facts]  # fmt: skip
    if patch.plane is not None:
        lines.append(f"card: nearness {patch.plane[0]:.3f}, tilt {patch.plane[1]:.3f}, {patch.plane[2]:.3f}")
    return "\n".join(lines)
