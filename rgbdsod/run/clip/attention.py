"""`attention_maps`: where a dual encoder looks, clean, attacked, and hardened and attacked."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rgbdsod.clip import ClipModel
from rgbdsod.clip.space import AttackSpace
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.attention_task import AttentionTask
from rgbdsod.run.clip.evaluate import Data, as_sets
from rgbdsod.run.clip.images import ImageSets
from rgbdsod.run.clip.looking import kinds_of
from rgbdsod.run.clip.opening import DualEncoder, open_dual_encoder
from rgbdsod.run.clip.settings import ZeroShotSettings, usual_eps
from rgbdsod.run.clip.texts import Templates
from rgbdsod.run.execute import ImageCallback, Target, execute
from rgbdsod.run.results import RunResult
from rgbdsod.run.tables import align

SCHEMA = "rgbdsod.clip-attention/1"
IMAGES = 8

_REPORTED = (
    "model", "data", "images", "attack", "norm", "eps", "side", "grid", "repaired", "accuracy", "distances", "changes",
    "note",
)  # fmt: skip

_VIEWS = {
    "attacked": "original, attacked",
    "repaired_clean": "repaired, clean",
    "repaired": "repaired, attacked",
}


class AttentionResult(RunResult):
    """Maps of some images, and how far they are from the original model's of the clean image."""

    def summary(self) -> str:
        """A table of mean distances with their 95 % intervals, and of accuracies."""
        rows = [["attention", "of the model", "L2 at side 224", "cosine distance", "accuracy"]]
        accuracy = self.metrics["accuracy"]
        rows += [
            [own["kind"], _VIEWS[own["view"]], _shown(own["l2"], 1), _shown(own["cosine"], 3),
             f"{accuracy[own['view']]:.3f}"]
            for own in self.metrics["distances"]
        ]  # fmt: skip
        images = self.metrics["images"]
        lines = [
            *align(rows),
            f"from the original model's maps of {images} clean images, accuracy {accuracy['clean']:.3f}",
        ]
        return "\n".join([*lines, *([self.metrics["note"]] if self.metrics["note"] else [])])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod clip attention --json` prints."""
        return {
            "schema": SCHEMA,
            **{name: self.metrics[name] for name in _REPORTED},
            "samples": self.samples,
            "seconds": self.record.get("seconds"),
            "run": None if self.folder is None else str(self.folder),
        }


def attention_maps(
    model: str | ClipModel | DualEncoder = "clip.demo",
    data: Data = "glyphs:pairs",
    *,
    repaired: str | Path | ClipModel | DualEncoder | None = None,
    attention: str | Sequence[str] | None = None,
    attack: str = "pgd",
    eps: float | None = None,
    steps: int | None = None,
    attack_space: AttackSpace = "native",
    templates: Templates = "fixed",
    template: str | None = None,
    root: str | Path | None = None,
    split: str | None = None,
    n_samples: int | None = IMAGES,
    seed: int = 0,
    device: str = "auto",
    batch: int | None = None,
    out: str | Path | None = None,
    restart: bool = False,
    callback: ImageCallback | None = None,
) -> AttentionResult:
    """Look where an encoder looks: at images, at their adversarial versions, and after hardening.

    Every image is attacked to the end, also one that is misclassified from the start. The attack on the repaired model
    is of the same kind and made for that model. All distances are from the original model's map of the clean image.

    Args:
        model: "clip.demo", an architecture of open_clip, a model, or what `open_dual_encoder` returns.
        data: sets by name or as they are; see `open_sets`.
        repaired: the same model hardened: a checkpoint such as the weights.safetensors of `rgbdsod clip train`, or a
            model. None: the original alone.
        attention: of "text", "vision" and "gradcam"; None: all that the encoder can show.
        attack: a name of `rgbdsod.run.clip.attacks.ZERO_SHOT_ATTACKS`.
        eps: Linf radius; None: 8/255 for clip.demo, 1/255 for all others.
        steps: of the attack; None: its own.
        attack_space, templates: see `ZeroShotSettings`.
        template: one prompt for all sets, with {} for the class.
        root, split: see `open_sets`.
        n_samples: images of each set, evenly over its classes; None: all.
        seed: of random starts and of the choice of images.
        device: where models that are named are loaded.
        batch: images at once; None chooses.
        out: the run folder; None writes nothing.
        restart: begin anew in a folder that is there.
        callback: called with (images done, images in all).

    Returns:
        A result with `.summary()`, `.samples`, `.metrics`, `.document()` and `.save(folder)`.

    Raises:
        UsageError: names and values that do not fit, or an encoder that cannot show what is asked for.
        DataError: images that cannot be read. WeightsError: a checkpoint of another model.

    Example:
        >>> from rgbdsod.run.clip.attention import attention_maps
        >>> result = attention_maps(n_samples=4, steps=10)  # doctest: +SKIP
        >>> print(result.summary())  # doctest: +SKIP
    """
    encoder = _encoder(model, device)
    hardened = _hardened(repaired, encoder.model.name, device)
    settings = ZeroShotSettings(
        attacks=(attack,), eps=(usual_eps(encoder.model.name) if eps is None else eps,), steps=steps,
        attack_space=attack_space, templates=templates, seed=seed,
    ).checked()  # fmt: skip
    sets = as_sets(data, root=root, split=split, settings=settings, template=template, count=n_samples)
    wanted = attention.split(",") if isinstance(attention, str) else attention
    task = attention_task(encoder, hardened, sets, settings, wanted)
    return run_attention(task, None if out is None else Target(out=out, restart=restart), batch, callback)


def attention_task(
    encoder: DualEncoder,
    repaired: DualEncoder | None,
    data: ImageSets,
    settings: ZeroShotSettings,
    attention: Sequence[str] | None,
    given: Mapping[str, Any] | None = None,
) -> AttentionTask:
    """Everything checked, nothing started.

    Args:
        encoder, repaired, data, settings: what to do; the settings are checked ones.
        attention: kinds; None: all that the encoder can show.
        given: how a command line named models and data; they are recorded so.

    Raises:
        UsageError: an encoder that cannot show what is asked for, or two of different shapes.
    """
    kinds = kinds_of(encoder.model, attention)
    ours = encoder.model
    if repaired is not None and (repaired.model.grid, repaired.model.side) != (ours.grid, ours.side):
        raise UsageError(
            f"the repaired model has {repaired.model.grid} patches of images of {repaired.model.side} pixels, "
            f"{ours.name} has {ours.grid} of {ours.side}; pass a hardened {ours.name}"
        )
    named = {"model": encoder.model.name, "data": data.name} if given is None else given
    return AttentionTask(encoder, repaired, data, kinds, settings, named)


def run_attention(
    task: AttentionTask,
    target: Target | None,
    batch: int | None = None,
    callback: ImageCallback | None = None,
    on_open: Callable[[], None] | None = None,
) -> AttentionResult:
    """Run a task, or continue it, or read its results; arguments as for `rgbdsod.run.execute.execute`."""
    device = task.encoder.model.device
    return AttentionResult(execute(task, target=target, device=device, batch=batch, callback=callback, on_open=on_open))


def _encoder(model: str | ClipModel | DualEncoder, device: str) -> DualEncoder:
    if isinstance(model, str):
        return open_dual_encoder(model, device=device)
    return DualEncoder(model) if isinstance(model, ClipModel) else model


def _hardened(repaired: str | Path | ClipModel | DualEncoder | None, name: str, device: str) -> DualEncoder | None:
    """A hardened model by its checkpoint, or as it is."""
    if repaired is None or isinstance(repaired, DualEncoder):
        return repaired
    if isinstance(repaired, ClipModel):
        return DualEncoder(repaired)
    return open_dual_encoder(name, repaired, device=device)


def _shown(own: Mapping[str, float], digits: int) -> str:
    return f"{own['value']:.{digits}f} [{own['low']:.{digits}f}, {own['high']:.{digits}f}]"
