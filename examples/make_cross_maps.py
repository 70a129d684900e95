"""Train what the cross-modal patch maps need: the translator of C2, and the decision over all five maps.

    python examples/make_cross_maps.py                # both
    python examples/make_cross_maps.py translation    # one

The translator learns depth of RGB from generated scenes and the 18 photographs of potholes that come with the package.
The decision is a logistic regression on pixels of scenes with patches that were optimised against the built-in BBS-Net,
with benign stickers and without anything. Both are written beside records with figures on scenes of a test seed.
"""

import json
import platform
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from torch import Tensor

import rgbdsod
from rgbdsod.datasets import TEST_SEED, Dataset, load_dataset
from rgbdsod.defenses.patch.cross.features import FEATURES
from rgbdsod.defenses.patch.cross.translation import Translator, normalised, surprise
from rgbdsod.models import load_model, save_asset
from rgbdsod.run import patch_maps

ASSETS = Path(rgbdsod.defenses.__file__).parent / "patch" / "assets"
SCENES, POTHOLES = "scenes:300@96x96#77", "demo:train"
TEST = f"scenes:24@96x96#{TEST_SEED + 77}"
VICTIMS, CLEAN = "scenes:6@96x96#78", "scenes:16@96x96#79"
PATCH_STEPS = 30
SIDE = 96
STEPS = 600
BATCH = 12


def main(
    names: Annotated[list[str] | None, typer.Argument(help="translation, decision; both by default")] = None,
    seed: Annotated[int, typer.Option(help="of first weights and batches")] = 0,
    steps: Annotated[int, typer.Option(help="of the translator's training")] = STEPS,
    assets: Annotated[Path, typer.Option(help="folder for the files")] = ASSETS,
) -> None:
    """Train, measure and write."""
    known: dict[str, Callable[[int, int, Path], dict[str, Any]]] = {"translation": translation, "decision": decision}
    for name in names or list(known):
        begin = perf_counter()
        record = known[name](seed, steps, assets)
        record |= {
            "training_seconds": round(perf_counter() - begin),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }
        (assets / f"cross-{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        typer.echo(json.dumps(record["figures"], indent=1))


def translation(seed: int, steps: int, assets: Path) -> dict[str, Any]:
    """Train the translator and write its weights."""
    file = assets / "cross-translation.safetensors"
    network = train_translator(_pairs(SCENES), _pairs(POTHOLES), seed, steps)
    return save_asset(network, file) | {
        "what": "demonstration weights of a small network that expects depth of RGB",
        "command": f"python examples/make_cross_maps.py translation --seed {seed} --steps {steps}",
        "data": {"scenes": SCENES, "photographs": POTHOLES},
        "figures": {"surprise": figures(network)},
    }


def decision(seed: int, steps: int, assets: Path) -> dict[str, Any]:
    """Fit the regression on patches against the built-in BBS-Net; begun, where there is none, at equal weights."""
    file = assets / "cross-decision.json"
    if not file.is_file():
        file.write_text(json.dumps({"weights": dict.fromkeys(FEATURES, 1.0), "bias": 0.0}), encoding="utf-8")
    model = load_model("bbsnet").at((SIDE, SIDE))
    found = patch_maps(model, VICTIMS, calibration=CLEAN, steps=PATCH_STEPS, penalties=(), seed=seed).metrics
    return found["decision"] | {
        "what": "logistic regression on the rarity of five cross-modal maps and four baselines",
        "command": f"python examples/make_cross_maps.py decision --seed {seed}",
        "data": {"scenes": VICTIMS, "clean": CLEAN, "model": "bbsnet.demo", "patch_steps": PATCH_STEPS},
        "figures": {"AUROC": {row["map"]: _rounded(row["auroc"]) for row in found["maps"] if "decision" in row["map"]}},
    }


def _rounded(values: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 3) for name, value in values.items()}


def train_translator(
    scenes: tuple[Tensor, Tensor], photographs: tuple[Tensor, Tensor], seed: int, steps: int
) -> Translator:
    """Least Laplace log-likelihood of normalised depth; a quarter of each batch are photographs."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = Translator()
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        rgb, depth = (
            torch.cat(parts)
            for parts in zip(
                _drawn(scenes, BATCH * 3 // 4, generator), _drawn(photographs, BATCH // 4, generator), strict=True
            )
        )
        mean, spread = network.expected(rgb)
        loss = ((normalised(depth) - mean).abs() / spread + spread.log()).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            typer.echo(f"translation {step + 1}/{steps} loss {loss:.3f}")
    return network.eval()


@torch.no_grad()
def figures(network: Translator) -> dict[str, float]:
    """The mean surprise of test scenes, of their depth turned upside down, and of another scene's depth."""
    rgb, depth = _pairs(TEST)
    mean, spread = network.expected(rgb)
    cases = {"own depth": depth, "another scene's": depth.roll(1, 0), "upside down": depth.flip(2)}
    return {name: round(float(surprise(normalised(own), mean, spread).mean()), 3) for name, own in cases.items()}


def _pairs(name: str) -> tuple[Tensor, Tensor]:
    """RGB and depth of a whole set, (N,3,96,96) and (N,1,96,96)."""
    data: Dataset = load_dataset(name)
    samples = [data[at] for at in range(len(data))]
    rgb = [torch.from_numpy(sample.rgb).permute(2, 0, 1)[None].float() / 255 for sample in samples]
    depth = [torch.from_numpy(sample.depth)[None, None].float() for sample in samples]
    return _square(rgb), _square(depth)


def _square(images: list[Tensor]) -> Tensor:
    return torch.cat([F.interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True) for image in images])


def _drawn(pairs: tuple[Tensor, Tensor], count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """So many pairs, half of them mirrored, with another brightness."""
    at = torch.randint(len(pairs[0]), (count,), generator=generator)
    mirrored = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    rgb, depth = (torch.where(mirrored, part[at].flip(3), part[at]) for part in pairs)
    gain = 0.8 + 0.4 * torch.rand(count, 1, 1, 1, generator=generator)
    return (rgb * gain).clamp(0, 1), depth


if __name__ == "__main__":
    typer.run(main)
