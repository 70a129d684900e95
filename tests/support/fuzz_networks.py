"""Readers of weights, patches and noises."""

from collections.abc import Callable
from pathlib import Path

from fuzz_reader import Reader, tensors, weights, written
from fuzz_sets import read_patch
from fuzz_weights import state, tensor_files, torch_saved

# Weights


def _state(path: Path) -> object:
    from rgbdsod.models.checkpoint import read_state

    return read_state(path)


def _model(path: Path) -> object:
    from rgbdsod.models import load_model

    return load_model("unet", weights=path, device="cpu")


def _detector(path: Path) -> object:
    from rgbdsod.models.detectors.load import load_detector

    return load_detector("fcos-tiny", weights=path, device="cpu")


def _clip(path: Path) -> object:
    from rgbdsod.clip.layouts import read_checkpoint

    return read_checkpoint(path)


def _own_clip(folder: Path) -> Path:
    from rgbdsod.clip import load_clip
    from rgbdsod.clip.checkpoint import save_checkpoint

    path = folder / "a.safetensors"
    save_checkpoint(load_clip(device="cpu"), path, method="tecoa", settings={"eps": 0.1})
    return path


def _load_clip(path: Path) -> object:
    from rgbdsod.clip import load_clip

    return load_clip(weights=path, device="cpu")


def _training(path: Path) -> object:
    from rgbdsod.run.checkpoint import read_checkpoint

    return read_checkpoint(path)


def _generator(path: Path) -> object:
    from rgbdsod.attacks.generative.files import read

    return read(path, "perturbation")


def _save_generator(folder: Path) -> Path:
    import torch

    from rgbdsod.attacks.generative.files import write

    write(folder / "a.safetensors", torch.nn.Linear(2, 2), {"family": "perturbation"})
    return folder / "a.safetensors"


def _save_patch(folder: Path) -> Path:
    import torch

    from rgbdsod.attacks.patch.patch import Patch

    Patch(torch.ones(1, 4, 4), torch.rand(3, 4, 4)).save(folder)
    return folder / "patch.safetensors"


def _save_noise(folder: Path) -> Path:
    import torch

    from rgbdsod.attacks.universal.file import write_noise

    about = {"budgets": {"rgb": {"norm": "linf", "eps": 0.1}}, "sizing": "resize", "facts": {}}
    write_noise(folder / "a.safetensors", {"rgb": torch.zeros(1, 3, 4, 4)}, about)
    return folder / "a.safetensors"


def _noise(path: Path) -> object:
    from rgbdsod.attacks.universal.perturbation import Universal

    return Universal.load(path)


def _save_fit(folder: Path) -> Path:
    from rgbdsod.attacks.patch.keeping import Kept, write_fit

    write_fit(folder / "fit.safetensors", Kept(state(), 1, 1, 0.5, [0.5], {}), "x")
    return folder / "fit.safetensors"


def _fit(path: Path) -> object:
    from rgbdsod.attacks.patch.keeping import read_fit

    return read_fit(path, "x")


def _asset(path: Path) -> object:
    from rgbdsod.defenses.patch.learned.weights import read_asset

    return read_asset("sac", path)


def _bank_of(path: Path) -> object:
    from rgbdsod.clip.bank import TextCache

    return TextCache(path.parent).find("a")


def _pickled(name: str) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        return written(name, torch_saved(state()))(folder)

    return prepare


WEIGHTS = [
    Reader("state, pickled", _pickled("a.pth"), _state, weights),
    Reader("state, safetensors", written("a.safetensors", b""), _state, lambda valid, canary: tensor_files()),
    Reader("model, pickled", _pickled("a.pth"), _model, weights),
    Reader("model, safetensors", written("a.safetensors", b""), _model, lambda valid, canary: tensor_files()),
    Reader("CLIP, pickled", _pickled("a.pt"), _clip, weights),
    Reader("CLIP, own", _own_clip, _load_clip, tensors()),
    Reader("training checkpoint", _pickled("last.pt"), _training, weights),
    Reader("patch", _save_patch, read_patch, tensors("about")),
    Reader("noise", _save_noise, _noise, tensors("schema", "about")),
    Reader("fit", _save_fit, _fit, tensors("schema", "about")),
    Reader("generator", _save_generator, _generator, tensors("rgbdsod.generator")),
    Reader("defence", written("a.safetensors", b""), _asset, lambda valid, canary: tensor_files()),
    Reader("texts", written("text-a.safetensors", b""), _bank_of, lambda valid, canary: tensor_files()),
]
