"""A detector by name or from a user's own file, and whether it answers as attacks and evaluations need."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.errors import RgbdsodError, UsageError
from rgbdsod.models.detectors.load import load_detector
from rgbdsod.models.detectors.protocol import Candidates, Detector
from rgbdsod.models.user_code import is_user_code, short_name, user_object
from rgbdsod.types import Detections, Objects

_METHODS = ("losses", "candidates", "detect")
_HOW = "return a TorchvisionDetector, a DecodedDetector, or an object with losses, candidates, detect and classes"


def open_detector(
    name: str,
    *,
    weights: str | Path | None = None,
    classes: Sequence[str] | None = None,
    device: str | torch.device = "cpu",
) -> Detector:
    """A detector by name, or the one that a function in a user's file returns.

    Args:
        name: a name of `DETECTORS`, or "FILE.py:function" for a function without arguments that returns a `Detector`.
        weights, classes: see `load_detector`; a function loads and names its own.
        device: where it runs; modules of a user's detector are moved there.

    Raises:
        UsageError: no such name, file or function, or what it returns is no detector. WeightsError: see
            `load_detector`.
    """
    if not is_user_code(name):
        return load_detector(name, weights=weights, classes=classes, device=device)
    if weights is not None or classes is not None:
        flag = "--classes" if weights is None else "--weights"
        raise UsageError(f"{flag} goes with detectors that have a name; {name} loads its own, so leave {flag} out")
    made = user_object(name, "detector")
    check_detector(made, name)
    for module in (made,) if isinstance(made, nn.Module) else tuple(getattr(made, "modules", ())):
        module.to(device)
    if not isinstance(getattr(made, "name", None), str):
        with contextlib.suppress(AttributeError):  # one that takes no attributes is called by its type
            made.name = short_name(name)
    found: Detector = made
    return found


def check_detector(made: Any, name: str) -> None:
    """Refuse what has not the four members of a detector.

    Args:
        made: what came.
        name: how it was asked for.

    Raises:
        UsageError: a member is missing, or the classes are no names.
    """
    missing = [one for one in _METHODS if not callable(getattr(made, one, None))]
    missing += [] if hasattr(made, "classes") else ["classes"]
    if missing:
        raise UsageError(f"{name} returned {type(made).__name__}, which has no {', '.join(missing)}; {_HOW}")
    classes = made.classes
    if isinstance(classes, str) or not len(classes) or not all(isinstance(one, str) for one in classes):
        raise UsageError(f"classes of {name} are {classes!r}; expected a sequence of their names")


def check_answers(detector: Detector, images: Tensor, name: str, *, losses: Sequence[Objects] | None = None) -> None:
    """Ask a detector once, and refuse answers that no evaluation could use.

    Args:
        detector: has the members of one.
        images: (B,3,H,W) in [0, 1].
        name: what messages call it.
        losses: what the images show, where the training loss will be asked for; None: it will not.

    Raises:
        UsageError: not one answer for each image, shapes or labels that cannot be, or no gradient to the images.
    """
    leaf = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        places = _asked("candidates", name, lambda: detector.candidates(leaf))
        found = _asked("detect", name, lambda: detector.detect(leaf))
        values = None if losses is None else _asked("losses", name, lambda: detector.losses(leaf, losses))
    for method, answers in (("candidates", places), ("detect", found)):
        if len(answers) != len(images):
            raise UsageError(
                f"{method} of {name} gave {len(answers)} answers to {len(images)} images; give one for each"
            )
    for place, seen in zip(places, found, strict=True):
        _check_candidates(place, len(detector.classes), name)
        _check_detections(seen, len(detector.classes), name)
    if values is not None and tuple(values.shape) != (len(images),):
        raise UsageError(
            f"losses of {name} have shape {tuple(values.shape)}; expected one for each image, ({len(images)},)"
        )
    asked = [place.scores for place in places] + ([] if values is None else [values])
    if not all(one.requires_grad for one in asked):
        raise UsageError(
            f"candidates or losses of {name} have no gradient to the images; leave torch.no_grad, .detach and .numpy "
            "out of them"
        )


def _asked(method: str, name: str, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except RgbdsodError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise UsageError(f"{method} of {name} failed: {type(error).__name__}: {error}") from error


def _check_candidates(place: Any, classes: int, name: str) -> None:
    if not isinstance(place, Candidates):
        raise UsageError(f"candidates of {name} gave {type(place).__name__}; give a rgbdsod.models.Candidates for each")
    scores, boxes = tuple(place.scores.shape), tuple(place.boxes.shape)
    fits = len(scores) == 2 and scores[1] == classes and boxes in ((scores[0], 1, 4), (scores[0], classes, 4))
    if not fits:
        raise UsageError(
            f"candidates of {name} have scores {scores} and boxes {boxes}; expected (K,{classes}) and (K,1,4) or "
            f"(K,{classes},4)"
        )


def _check_detections(seen: Any, classes: int, name: str) -> None:
    if not isinstance(seen, Detections):
        raise UsageError(f"detect of {name} gave {type(seen).__name__}; give a rgbdsod.types.Detections for each")
    boxes, scores, labels = (tuple(field.shape) for field in seen)
    if len(boxes) != 2 or boxes[1] != 4 or scores != boxes[:1] or labels != boxes[:1]:
        raise UsageError(
            f"detect of {name} gave boxes {boxes}, scores {scores}, labels {labels}; expected (N,4), (N,) and (N,)"
        )
    if len(seen.labels) and not 0 <= int(seen.labels.min()) <= int(seen.labels.max()) < classes:
        raise UsageError(
            f"detect of {name} gave label {int(seen.labels.max())}; labels are positions among its {classes} classes, "
            "from 0 on"
        )
    values = seen.scores.detach()
    if len(values) and not 0 <= float(values.min()) <= float(values.max()) <= 1:
        raise UsageError(f"detect of {name} gave scores up to {float(values.max()):g}; expected them in [0, 1]")
