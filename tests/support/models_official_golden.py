"""How far BBS-Net and D3Net are from the golden outputs, gradients and names of the official networks."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn

Description = dict[str, tuple[tuple[int, ...], str]]


def load_fill(shared: Path) -> ModuleType:
    """The module that draws deterministic weights and inputs."""
    spec = importlib.util.spec_from_file_location("golden_fill", shared / "golden" / "fill.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def official_names(shared: Path, name: str) -> Description:
    """Shape and type of every entry of the official state dict."""
    rows = json.loads((shared / "golden" / f"{name}.keys.json").read_text())
    return {key: (tuple(shape), dtype.removeprefix("torch.")) for key, shape, dtype in rows}


def own_names(network: nn.Module) -> Description:
    """Shape and type of every entry of our state dict."""
    return {k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in network.state_dict().items()}


def strengthen(network: nn.Module) -> None:
    """Multiply all convolution weights by the square root of 2, as the `he` golden files do."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.ndim == 4:
                value.mul_(2**0.5)


def output_deviations(shared: Path, name: str, network: nn.Module) -> dict[str, float]:
    """Largest difference of each output that the golden file has, in standard deviations of the golden map."""
    golden, rgb, depth = _load(shared, name)
    with torch.no_grad():
        outputs = network(rgb, depth)
    kept = [key for key in ("final", "initial", "logit") if key in golden]
    return {key: float(np.abs(outputs[key].numpy() - golden[key]).max() / golden[key].std()) for key in kept}


def gradient_deviations(shared: Path, name: str, network: nn.Module) -> dict[str, float]:
    """Relative L2 difference of each input gradient that the golden file has."""
    golden, rgb, depth = _load(shared, name)
    inputs = {"rgb": rgb.requires_grad_(), "depth": depth.requires_grad_()}
    outputs = network(rgb, depth)
    deviations = {}
    for key in (k for k in golden if k.startswith("grad_") and not k.endswith("_scale")):
        _, modality, *rest = key.split("_")
        mean = outputs[rest[-1] if rest else "final"].mean()
        (gradient,) = torch.autograd.grad(mean, inputs[modality], retain_graph=True)
        expected = golden[key].astype(np.float64) * float(golden[f"{key}_scale"])
        deviations[key] = float(np.linalg.norm(gradient.numpy() - expected) / np.linalg.norm(expected))
    return deviations


def _load(shared: Path, name: str) -> tuple[dict[str, np.ndarray], torch.Tensor, torch.Tensor]:
    golden = dict(np.load(shared / "golden" / f"{name}.npz"))
    height, width = (int(side) for side in golden["size"])
    rgb, depth = load_fill(shared).inputs(int(golden["seed"]), height, width, int(golden["batch"]))
    return golden, rgb, depth
