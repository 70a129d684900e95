"""Detectors by name, with weights from a file."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.models.checkpoint import State, file_hash, read_state
from rgbdsod.models.detectors.adapter import TorchvisionDetector
from rgbdsod.models.detectors.calibrate import calibrate
from rgbdsod.models.detectors.decoded import DecodedDetector
from rgbdsod.models.detectors.table import DETECTORS, DetectorRow
from rgbdsod.models.fitting import Fit, fit

RANDOM = "random"
_NOT_A_CLASS = ("__background__", "N/A", "no person")
_DIGITS = re.compile(r"-([0-9a-f]{8})\.\w+$")
_ASSETS = Path(__file__).parent / "assets"

BuiltDetector = TorchvisionDetector | DecodedDetector


def load_detector(
    name: str,
    *,
    weights: str | Path | None = None,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> BuiltDetector:
    """A detector by name.

    Args:
        name: a name of `DETECTORS`.
        weights: file with its state dict; None: the built-in ones, where there are any; "random": untrained from
            `seed`, with calibrated BatchNorm, for tests only.
        classes: names of the classes it was trained for; None: those of the released weights (COCO).
        size: of the images' shorter side inside the network, in pixels; None: as released.
        device: where it runs.
        seed: of random weights.

    Raises:
        UsageError: no such detector, or one whose size is fixed.
        WeightsError: no weights were given and none are built in; the file is damaged, has not the checksum that its
            name ends in, or does not fit.

    Example:
        >>> load_detector("fcos.tiny").classes
        ('disc', 'square', 'triangle')
    """
    row = DETECTORS[name]
    if size is not None and not row.sizable:
        raise UsageError(f"{name} works at one size only; leave the size out")
    if weights is None and not row.weights:
        raise WeightsError(
            f"{name} has no built-in weights; pass the file of its state dict as weights=FILE "
            f'(or weights="{RANDOM}" for a test without meaning)'
        )
    if weights == RANDOM:
        return _untrained(row, classes, size, seed, device)
    file = _ASSETS / row.weights if weights is None else Path(weights)
    _check_name(file)
    detector = _filled(row, read_state(file), file, classes, size)
    detector.network.eval().to(device)
    return detector


def _check_name(file: Path) -> None:
    """Refuse a released file that is not what its name says: torchvision's end in the first digits of their SHA-256.

    Raises:
        WeightsError: the digits are others.
    """
    named = _DIGITS.search(file.name)
    if named is None or not file.is_file():
        return
    found = file_hash(file)
    if not found.startswith(named[1]):
        raise WeightsError(
            f"{file.name} is damaged: its name promises sha256 {named[1]}..., it has {found[:8]}...; download it again"
        )


def _untrained(
    row: DetectorRow, classes: Sequence[str] | None, size: int | None, seed: int, device: str | torch.device
) -> BuiltDetector:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        detector = _built(row, classes, size, row.background or classes is None)
    calibrate(detector.network, detector.candidates, seed=seed)
    detector.network.eval().to(device)
    return detector


def _filled(
    row: DetectorRow, state: State, file: Path, classes: Sequence[str] | None, size: int | None
) -> BuiltDetector:
    """The detector that the file's tensors fit; those without a background may leave class 0 unused or not."""
    tries = [True] if row.family in ("ssd", "rcnn") or classes is None else [True, False]
    found: Fit | None = None
    for reserved in tries:
        detector = _built(row, classes, size, reserved)
        found = fit(state, detector.network.state_dict())
        if not found.differences:
            detector.network.load_state_dict(found.state)
            if row.plain_eps and not any(key.endswith("num_batches_tracked") for key in state):
                _without_eps(detector.network)
            detector.weights = f"{file.name} sha256:{file_hash(file)[:16]}"
            return detector
    described = "" if found is None else found.describe()
    raise WeightsError(
        f"{file.name} does not fit {row.name}: {described}; pass its own file, and classes=[...] (--classes A,B) if it "
        "was trained for other classes than COCO's"
    )


def _built(row: DetectorRow, classes: Sequence[str] | None, size: int | None, reserved: bool) -> BuiltDetector:
    """An untrained detector; `reserved`: number 0 is no class."""
    if row.name == "fastestdet":
        from rgbdsod.models.detectors.fastestdet import fastestdet

        return fastestdet(classes)
    if row.name == "fcos.tiny":
        from rgbdsod.models.detectors.tiny import tiny_fcos

        return tiny_fcos(classes)
    from torchvision.models import get_model, get_model_weights

    all_names = list(classes or get_model_weights(row.name).DEFAULT.meta["categories"])
    if classes is not None and reserved:
        all_names.insert(0, _NOT_A_CLASS[0])
    numbers = [number for number, name in enumerate(all_names) if name not in _NOT_A_CLASS]
    options: dict[str, Any] = {"min_size": size, "max_size": size} if size else {}
    network: nn.Module = get_model(row.name, weights=None, weights_backbone=None, num_classes=len(all_names), **options)
    return TorchvisionDetector(
        network,
        [all_names[number] for number in numbers],
        family=row.family,
        numbers=numbers,
        name=row.name,
        weights=RANDOM,
    )


def _without_eps(network: nn.Module) -> None:
    """Released files of frozen BatchNorm were trained, and are used by torchvision, with an epsilon of 0."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
