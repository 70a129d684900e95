"""Everything that the loop of a fine-tuning needs, made from a model, images and a plan."""

import copy
from dataclasses import replace

import torch
from torch import Tensor

from rgbdsod.clip import ClipModel, TextBank
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.datasets.zero_shot.prompts import written
from rgbdsod.defenses.zero_shot.hardening import Hardening
from rgbdsod.defenses.zero_shot.methods.tga_zsr import CompTga
from rgbdsod.defenses.zero_shot.presets import TuningPreset
from rgbdsod.defenses.zero_shot.table import METHODS
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.originals import Originals
from rgbdsod.run.clip.tuner import Tuning, describe_plan
from rgbdsod.run.clip.tuning_data import hold_out
from rgbdsod.run.clip.tuning_plan import per_epoch, updates
from rgbdsod.run.clip.validation import Validation

VALIDATION_BATCH = 256
LEAST_BETWEEN_VALIDATIONS = 100

_ASKS_ON_ATTACKED = ("pmg-aft",)  # methods that show the original model attacked images, which nobody can keep


def prepare(
    model: ClipModel,
    data: ImageSet,
    plan: TuningPreset,
    *,
    seed: int,
    val_share: float,
    validate_every: int | None,
    cache: bool,
    dtype: str,
    workers: int,
) -> Tuning:
    """Hold images out, encode the texts once, and put the method to work; arguments as for `rgbdsod.run.harden`.

    Raises:
        UsageError: values that do not fit the data or the model.
    """
    if validate_every is not None and validate_every < 1:
        raise UsageError(f"--validate-every {validate_every}: pass 1 update or more")
    learned, held = hold_out(data, val_share, seed)
    total = updates(plan, len(learned))
    kind = number_type(dtype, model.device)
    bank = TextBank(model, learned.prompts)
    hardening = _at_work(model, plan, bank, learned, kind, seed)
    settings = describe_plan(plan) | {
        "iterations": total,
        "seed": seed,
        "data": learned.name,
        "data fingerprint": learned.fingerprint,
        "images": len(learned),
        "held out": 0 if held is None else len(held),
        "dtype": str(kind).removeprefix("torch."),
        "original sha256": model.fingerprint,
    }
    watch = None
    if held is not None:
        watch = Validation(held, bank, plan.attack, plan.attack_space, VALIDATION_BATCH, seed)
    return Tuning(
        model=model, hardening=hardening, plan=plan, total=total, data=learned, validation=watch,
        originals=Originals(hardening, len(learned), keep=cache), seed=seed, settings=settings, dtype=kind,
        workers=workers,
        validate_every=validate_every or max(LEAST_BETWEEN_VALIDATIONS, per_epoch(plan, len(learned))),
    )  # fmt: skip


def number_type(name: str, device: torch.device) -> torch.dtype:
    """What the encoder computes in, in training and in the inner attack.

    Raises:
        UsageError: an unknown type, or half precision, which needs loss scaling in the attack too.
    """
    if name == "float16":
        raise UsageError(
            "--dtype float16 loses pixel gradients to underflow without a loss scaler; use bfloat16, which has the "
            "range of float32, or float32"
        )
    if name not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"--dtype {name}: tuning computes in auto, float32, bfloat16")
    half = name == "bfloat16" or (name == "auto" and device.type == "cuda")
    return torch.bfloat16 if half else torch.float32


def frozen_copy(model: ClipModel) -> ClipModel:
    """A copy of the image encoder beside the very text encoder of the model, which never changes."""
    shared = [value for name, value in model.network.named_parameters() if not name.startswith("visual.")]
    return copy.deepcopy(model, {id(value): value for value in shared}).eval()


def _at_work(
    model: ClipModel, plan: TuningPreset, bank: TextBank, data: ImageSet, kind: torch.dtype, seed: int
) -> Hardening:
    """The method on the model, with what it compares with."""
    method = plan.build()
    compares = METHODS[plan.method].reference or plan.method in _ASKS_ON_ATTACKED
    inner = replace(plan.attack, precision="bfloat16") if kind == torch.bfloat16 else plan.attack
    negated: Tensor | None = None
    if isinstance(method, CompTga):
        negated = TextBank(model, written(plan.negated_template, data.class_names, refine=data.refine)).features
    return Hardening(
        method,
        model,
        original=frozen_copy(model) if compares else None,
        texts=bank.features,
        negated=negated,
        attack=inner,
        seed=seed,
    )
