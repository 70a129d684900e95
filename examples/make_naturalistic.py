"""Train the network that draws natural-looking patches, from a seed, and measure it on crops that it never saw.

    python examples/make_naturalistic.py                                          # the built-in one, "vae"
    python examples/make_naturalistic.py --data FOLDER --out mine.safetensors     # from photographs of your own

The built-in one sees generated scenes and the package's photographs of road surfaces, and nothing else; it is measured
on other scenes and other roads. Of your photographs every fourth is held out. What is measured stands in the file: how
far its pictures are from held-out crops, and how far such crops are when noise of 0.3 lies on them. `--natural file`
takes no generator that is farther.
"""

import json
import platform
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

import rgbdsod
from rgbdsod.attacks.patch.natural.bank import cut_crops
from rgbdsod.attacks.patch.natural.drawer import NUMBERS, SIDE, DrawerScope, load_drawer, save_drawer
from rgbdsod.attacks.patch.natural.vae import VaeRecipe, train_drawer
from rgbdsod.datasets import TEST_SEED
from rgbdsod.errors import UsageError
from rgbdsod.models.checkpoint import file_hash
from rgbdsod.run.patch_stats.quality import generator_quality
from rgbdsod.run.patch_stats.reference import photographs_of

ASSET = Path(rgbdsod.attacks.__file__).parent / "patch" / "natural" / "assets" / "vae.safetensors"
SEEN = ("scenes:180@128x128#3", "demo:train")
UNSEEN = (f"scenes:64@128x128#{TEST_SEED + 9}", "demo:real")
CROPS, HELD_OUT = 3072, 512
EVERY = 4  # of a user's photographs one is held out


def main(
    data: Annotated[str | None, typer.Option(help="photographs or a data set; default: the package's own")] = None,
    out: Annotated[Path, typer.Option(help="file for the weights; its record lies beside it")] = ASSET,
    steps: Annotated[int, typer.Option(help="of training")] = VaeRecipe.steps,
    seed: Annotated[int, typer.Option(help="of first weights, crops and order")] = 0,
) -> None:
    """Train, measure and write."""
    seen, unseen = _built_in() if data is None else _own(data, seed)
    begin = perf_counter()
    drawer = train_drawer(_crops(seen, CROPS, seed), VaeRecipe(steps=steps, seed=seed), _show)
    quality = generator_quality(drawer, NUMBERS, _crops(unseen, HELD_OUT, seed + 1))
    origin: dict[str, Any] = {
        "data": list(SEEN) if data is None else Path(data).name, "steps": steps, "seed": seed,
        "version": rgbdsod.__version__,
    }  # fmt: skip
    save_drawer(out, drawer, DrawerScope(quality=quality.record(), origin=origin))
    again = load_drawer(out)  # the figures are those of the file
    record = {
        "what": "a small generator of natural-looking patches; a demonstration, not a paper's network",
        "command": _command(data, out, steps, seed),
        "data": {"training": origin["data"], "held out": list(UNSEEN) if data is None else f"every {EVERY}th"},
        "bytes": out.stat().st_size,
        "sha256": file_hash(out),
        "parameters": sum(weight.numel() for weight in again.parameters()),
        "training_seconds": round(perf_counter() - begin),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "figures": again.scope.quality,
    }
    out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    typer.echo(json.dumps(record["figures"], indent=1))
    if not again.scope.natural:
        typer.echo("farther from crops than noisy crops are: --natural file will refuse it, --natural drawn takes it")


def _built_in() -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """The package's own pictures, by kind: seen and unseen."""
    seen, unseen = ([photographs_of(name) for name in names] for names in (SEEN, UNSEEN))
    return seen, unseen


def _own(data: str, seed: int) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """A user's photographs: seen and unseen."""
    found = photographs_of(data, seed=seed)
    if len(found) < EVERY:
        raise UsageError(f"--data {data} holds {len(found)} photographs; {EVERY} or more are needed")
    return [[one for at, one in enumerate(found) if at % EVERY]], [found[::EVERY]]


def _crops(kinds: list[list[Tensor]], count: int, seed: int) -> Tensor:
    """Crops (N,3,64,64) in a drawn order, as many of each kind."""
    found = torch.cat([cut_crops(kind, (SIDE, SIDE), count // len(kinds), seed) for kind in kinds])
    return found[torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))]


def _command(data: str | None, out: Path, steps: int, seed: int) -> str:
    own = "" if data is None else f" --data {Path(data).name} --out {out.name}"
    return f"python examples/make_naturalistic.py{own} --seed {seed} --steps {steps}"


def _show(done: int, total: int) -> None:
    if done % 100 == 0 or done == total:
        typer.echo(f"{done}/{total}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except rgbdsod.errors.RgbdsodError as error:
        typer.echo(f"make_naturalistic: {error}", err=True)
        raise SystemExit(error.code) from None
