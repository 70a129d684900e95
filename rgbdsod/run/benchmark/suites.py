"""What a benchmark measures, as data: axes that multiply, and the suites that they make up. No torch here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from rgbdsod.errors import UsageError
from rgbdsod.run.benchmark.cell import IMAGE, Assault, Cell
from rgbdsod.run.benchmark.contender import SALIENCY, ZERO_SHOT, Contender

_SALIENCY = ("bbsnet", "jldcf", "d3net")
_TASKS = "glyphs:pairs,glyphs:new-shapes,glyphs:shapes,glyphs:textures,glyphs:backgrounds"
_CROSS = ("noise", "fgsm", "pgd-20", "apgd-20")


@dataclass(frozen=True)
class Block:
    """A grid: every network, on all data, under every attack on every modality, at every radius, from every seed.

    Args:
        world, size: see `Contender`.
        model, weights, fusion, training: make up the networks; see `Contender`.
        data: saliency data sets; of classifiers each is one or more labelled sets with commas.
        attack, modality, eps, images: see `Cell`.
        seeds: see `Cell`; None: the benchmark's own.
    """

    world: str
    model: tuple[str, ...]
    data: tuple[str, ...]
    attack: tuple[Assault, ...]
    modality: tuple[str, ...]
    eps: tuple[float, ...]
    images: int | None = None
    weights: tuple[str | None, ...] = (None,)
    fusion: tuple[str | None, ...] = (None,)
    training: tuple[str | None, ...] = (None,)
    size: tuple[int, int] | None = None
    seeds: tuple[int, ...] | None = None

    def cells(self, seed: int = 0) -> list[Cell]:
        """All of them, networks slowest and seeds next, so that a network is loaded once.

        Places where a network has no such input are left out.

        Args:
            seed: where the block names none.

        Raises:
            UsageError: see `Cell`; or an axis is empty, or a modality that none of the networks has.
        """
        for name in ("model", "data", "attack", "modality", "eps", "weights", "fusion", "training", "seeds"):
            if getattr(self, name) == ():
                raise UsageError(f"{name} is empty; give one value, or a list of values")
        parts = product(self.model, self.fusion, self.training, self.weights)
        networks = [Contender(self.world, model, file, fusion, how, self.size) for model, fusion, how, file in parts]
        every = [
            Cell(network, data, attack, modality, eps, self.images, own)
            for network, own, data, modality, attack, eps in product(
                networks, self.seeds or (seed,), self.data, self.modality, self.attack, self.eps
            )
        ]
        found = [cell for cell in every if cell.possible]
        for modality in self.modality:
            if all(cell.modality != modality for cell in found):
                inputs = ", ".join(
                    dict.fromkeys(f"{one.label} reads {' and '.join(one.inputs or ())}" for one in networks)
                )
                raise UsageError(f'modality "{modality}" fits no network here: {inputs}')
        return found


@dataclass(frozen=True)
class Suite:
    """Grids under a name.

    Args:
        name: what a user types.
        summary: what it is for.
        blocks: its grids.
    """

    name: str
    summary: str
    blocks: tuple[Block, ...]

    def cells(self, seed: int = 0) -> list[Cell]:
        """All of them, each once.

        Args:
            seed: where a block names none.
        """
        return list(dict.fromkeys(cell for block in self.blocks for cell in block.cells(seed)))


def _levels(*levels: int) -> tuple[float, ...]:
    return tuple(level / 255 for level in levels)


def _attacks(*names: str) -> tuple[Assault, ...]:
    return tuple(Assault.of(name) for name in names)


_FEW = _attacks("fgsm", "pgd-5")

SUITES: Mapping[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            "quick",
            "one network of each world, a few images: whether everything works",
            (
                Block(SALIENCY, ("bbsnet",), ("demo",), _FEW, ("rgb", "both"), _levels(8), 4),
                Block(ZERO_SHOT, ("clip.demo",), ("glyphs:pairs",), _FEW, (IMAGE,), _levels(8), 32),
            ),
        ),
        Suite(
            "standard",
            "the built-in saliency networks, one input at a time and both",
            (
                Block(
                    SALIENCY, _SALIENCY, ("demo",), _attacks("fgsm", "pgd-20", "apgd-20"), ("rgb", "depth", "both"),
                    _levels(2, 4, 8),
                ),
            ),
        ),
        Suite(
            "cross",
            "the same attacks at the same budgets on saliency networks and on a zero-shot classifier",
            (
                Block(SALIENCY, _SALIENCY, ("demo",), _attacks(*_CROSS), ("rgb", "both"), _levels(2, 8), 6),
                Block(ZERO_SHOT, ("clip.demo",), (_TASKS,), _attacks(*_CROSS), (IMAGE,), _levels(2, 8), 128),
            ),
        ),
    )
}  # fmt: skip


def cells_of(names: str | Sequence[str], *, images: int | None = None, seed: int = 0) -> list[Cell]:
    """The cells of suites, each once.

    Args:
        names: of `SUITES`, or .toml files; see `rgbdsod.run.benchmark.suite_file.read_file`.
        images: of each data set, instead of the suites' numbers.
        seed: where a suite names none.

    Raises:
        UsageError: an unknown name, or a file that says something else.
    """
    wanted = [part.strip() for part in names.split(",") if part.strip()] if isinstance(names, str) else list(names)
    if not wanted:
        raise UsageError(f"--suite is empty; use {', '.join(SUITES)}, or a FILE.toml")
    cells = list(dict.fromkeys(cell for name in wanted for cell in _suite(name).cells(seed)))
    labels: dict[str, Contender] = {}
    for own in dict.fromkeys(cell.contender for cell in cells):
        if labels.setdefault(own.label, own) != own:
            raise UsageError(
                f'two networks of --suite {",".join(wanted)} are called "{own.label}"; give them trainings'
            )
    return cells if images is None else list(dict.fromkeys(replace(cell, images=images) for cell in cells))


def _suite(name: str) -> Suite:
    if name in SUITES:
        return SUITES[name]
    if not name.endswith(".toml"):
        raise UsageError(f'no suite "{name}"; use {", ".join(SUITES)}, or a FILE.toml')
    from rgbdsod.run.benchmark.suite_file import read_file

    return Suite(name, "", read_file(name))
