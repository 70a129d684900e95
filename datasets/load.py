"""`load_dataset`: one call for built-in sets, generated scenes and folders."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rgbdsod.datasets.check import look_over
from rgbdsod.datasets.dataset import Dataset, checked_limit, join, positions_of
from rgbdsod.datasets.demo import demo, demo_real, demo_scenes, demo_train
from rgbdsod.datasets.depth import DepthConvention, Unit
from rgbdsod.datasets.folder import Folder
from rgbdsod.datasets.known import DATASETS, find_known
from rgbdsod.datasets.layout import find_layout
from rgbdsod.datasets.matching import Entry, Masks, match
from rgbdsod.datasets.scenes import Scenes
from rgbdsod.datasets.settings import read_settings
from rgbdsod.errors import DataError, UsageError
from rgbdsod.foreign.files import plain, reason, shown
from rgbdsod.foreign.pictures import PIXELS

_SCENES_NAME = re.compile(r"scenes(?::(?P<count>\d+)(?:@(?P<height>\d+)x(?P<width>\d+))?(?:#(?P<seed>\d+))?)?")
_SCENES_COUNT = 64
_MOST = 10**7  # images of one set
_DIGITS = 18
_PART_NAME = re.compile(r"(?:(\d+)\*)?([^*]+)")
_BUILT_IN = {"demo": demo, "demo:real": demo_real, "demo:scenes": demo_scenes, "demo:train": demo_train}


def load_dataset(
    data: str | Path,
    *,
    limit: int | None = None,
    ids: Sequence[str] | None = None,
    masks: Masks = "required",
    depth_invert: bool | None = None,
    depth_range: tuple[float, float] | None = None,
    depth_unit: Unit | None = None,
    resize_depth: bool = False,
    intersect: bool = False,
    check: bool = True,
) -> Dataset:
    """Open a data set; samples are read when asked for.

    Args:
        data: "demo", "demo:real", "demo:scenes", "scenes", "scenes:COUNT", "scenes:COUNT@HxW",
            "scenes:COUNT@HxW#SEED", a folder (or list file) with RGB, depth and masks, or several of these joined by
            "+", each perhaps repeated: "scenes:8000+100*demo:train".
        limit: use the first images only, 1 or more.
        ids: use these images only, in this order.
        masks: "optional" also takes samples that have no mask.
        depth_invert: near is dark in the depth files (True) or bright (False); None: what `rgbdsod.toml` in the folder
            says, else bright, or dark for millimetres.
        depth_range: values of the depth files that become the ends of [0, 1].
        depth_unit: "mm" for distances in millimetres, 0 being missing; None: what `rgbdsod.toml` says, else "relative".
        resize_depth: take depth maps of another size than the RGB, and resize them.
        intersect: leave out samples that lack a file, instead of failing.
        check: look at the files (all headers, and the pixels of up to 200 samples) before anything else is done.

    Returns:
        The data set; its `warnings` hold what was odd.

    Raises:
        UsageError: a name, an id or a number means nothing.
        DataError: files are missing, damaged or do not fit together.

    Example:
        >>> from rgbdsod.datasets import load_dataset
        >>> load_dataset("scenes:3@64x96").sizes()
        [(64, 96), (64, 96), (64, 96)]
    """
    _check_path(str(data))
    if (parts := _parts(str(data))) is not None:
        options: dict[str, Any] = {"depth_range": depth_range, "depth_unit": depth_unit, "resize_depth": resize_depth}
        options |= {"masks": masks, "depth_invert": depth_invert, "intersect": intersect, "check": check}
        opened = [(times, load_dataset(name, **options)) for times, name in parts]
        _check_count(str(data), sum(times * len(part) for times, part in opened))
        return join(str(data), [part for times, part in opened for _ in range(times)]).select(ids, limit)
    limits = None if depth_range is None else (float(depth_range[0]), float(depth_range[1]))
    asked = _Wishes(depth_invert, limits, depth_unit)
    built_in = _built_in(str(data))
    if built_in is not None:
        if asked != _Wishes():
            raise UsageError(
                f"how depth is read in {data} is fixed; --depth-invert, --depth-range and --depth-unit are for folders"
            )
        return built_in.select(ids, limit)
    layout = find_layout(_existing(str(data)))
    settings = read_settings(layout.path, layout.root)
    entries = _chosen(match(layout, masks=masks, intersect=intersect), ids, limit, str(data))
    convention = asked.over(settings.convention)
    folder = Folder(layout, entries, convention=convention, settings=settings, resize_depth=resize_depth)
    if check:
        folder.warnings += look_over(folder)
    return folder


@dataclass(frozen=True)
class _Wishes:
    """What a caller says about depth files; None: nothing."""

    invert: bool | None = None
    value_range: tuple[float, float] | None = None
    unit: Unit | None = None

    def over(self, stated: DepthConvention | None) -> DepthConvention:
        """These wishes over what the folder states over the defaults."""
        base = stated or DepthConvention()
        unit = self.unit or base.unit
        near = base.near
        if self.invert is not None:
            near = "dark" if self.invert else "bright"
        elif unit == "mm" and base.unit != "mm":
            near = "dark"  # millimetres are distances
        return DepthConvention(near, base.value_range if self.value_range is None else self.value_range, unit)


def _chosen(entries: list[Entry], ids: Sequence[str] | None, limit: int | None, name: str) -> list[Entry]:
    """The entries that were asked for, so that nothing else is looked at."""
    if ids is not None:
        entries = [entries[place] for place in positions_of(ids, [entry.id for entry in entries], name)]
    return entries[: checked_limit(limit)]


def _parts(data: str) -> list[tuple[int, str]] | None:
    """How often each of several joined sets is wanted, and its name; None for a single set."""
    if "+" not in data or Path(data).expanduser().exists():
        return None
    found = [_PART_NAME.fullmatch(text.strip()) for text in data.split("+")]
    if not all(found):
        raise UsageError(f'"{data}" does not name sets; join them as in scenes:8000+100*demo:train')
    return [(_number(part[1] or "1"), part[2]) for part in found if part is not None]


def _number(text: str) -> int:
    """A count or a size as it stands in a name; what is beyond all bounds stays so."""
    return int(text[:_DIGITS])


def _check_count(name: str, count: int) -> None:
    """Refuse sets whose list of ids alone would fill the memory."""
    if count > _MOST:
        raise UsageError(f"--data {plain(name)} has {count:.3g} images; {_MOST} are the most in one set")


def _check_path(name: str) -> None:
    """Refuse what no file can be called, before anything asks whether there is one."""
    try:
        Path(name).expanduser().exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"no dataset or folder {shown(name)} ({reason(error)}); rgbdsod list datasets") from error


def _built_in(name: str) -> Dataset | None:
    """Demo sets and generated scenes; None for anything else."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    found = _SCENES_NAME.fullmatch(name)
    if found:
        count, height, width, seed = (_number(text) if text else None for text in found.groups())
        size = (height, width) if height is not None and width is not None else (128, 128)
        _check_count(name, count or 0)
        if size[0] * size[1] > PIXELS:
            raise UsageError(f"--data {name}: a scene has at most {PIXELS} pixels; make it smaller")
        return Scenes(_SCENES_COUNT if count is None else count, size=size, seed=seed or 0)
    if name.startswith(("scenes:", "demo:")) and not Path(name).exists():
        raise UsageError(
            f'"{name}" is no built-in set; write demo, demo:real, demo:scenes, demo:train, scenes:COUNT, '
            "scenes:COUNT@HxW or scenes:COUNT@HxW#SEED"
        )
    return None


def _existing(name: str) -> Path:
    """The path, unless it was meant as a name that does not exist; splits of a folder are found later."""
    path = Path(name).expanduser()
    if not name:
        raise UsageError('no data set is named; pass "demo", or a folder')
    if path.exists() or len(path.parts) > 1:
        return path
    known = find_known(name)
    if known is not None:
        raise DataError(
            f"{known.name} is not shipped (licence: {known.licence}) and there is no folder {name} here; "
            "download it, then pass its folder"
        )
    close = get_close_matches(name, DATASETS.names(), n=1, cutoff=0.5)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    raise UsageError(f'no dataset or folder "{name}"{hint} (rgbdsod list datasets)')
