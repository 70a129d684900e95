"""Adversarial Robustness Toolbox: objects around a classifier of NumPy arrays."""

from importlib.metadata import version
from typing import Any

import torch
from art.attacks import evasion
from art.estimators.classification import PyTorchClassifier
from torch import Tensor

from contest.cases import CW_CONSTANT, Case
from contest.tasks import Task

VERSION = version("adversarial-robustness-toolbox")
_ZOO = {"use_resize": False, "use_importance": False, "abort_early": False, "initial_const": CW_CONSTANT}


def _radius(case: Case) -> dict[str, Any]:
    return {"eps": case.eps, "eps_step": case.step_size or 2 * case.eps, "max_iter": case.steps}


ATTACKS = {
    "pgd": lambda case, **own: evasion.ProjectedGradientDescent(**_radius(case), num_random_init=1, **own),
    "mifgsm": lambda case, **own: evasion.MomentumIterativeMethod(**_radius(case), **own),
    "apgd": lambda case, **own: evasion.AutoProjectedGradientDescent(
        **_radius(case), nb_random_init=1, loss_type="cross_entropy", **own
    ),
    "cw": lambda case, **own: evasion.CarliniL2Method(
        binary_search_steps=1, max_iter=case.steps, initial_const=CW_CONSTANT, **own
    ),
    "deepfool": lambda case, **own: evasion.DeepFool(max_iter=case.steps, epsilon=0.02, **own),
    "jsma": lambda case, **own: evasion.SaliencyMapMethod(theta=1.0, **own),
    "square": lambda case, **own: evasion.SquareAttack(eps=case.eps, max_iter=case.steps, **own),
    "hopskipjump": lambda case, **own: evasion.HopSkipJump(max_iter=case.steps, **own),
    # one image at a time: the search writes to the first image of a batch only
    "zoo": lambda case, **own: evasion.ZooAttack(max_iter=case.steps, **_ZOO, **{**own, "batch_size": 1}),
}


def run(task: Task, case: Case) -> Tensor:
    """The adversarial images."""
    model = PyTorchClassifier(
        task.network,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=tuple(task.images.shape[1:]),
        nb_classes=task.classes,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    name = "estimator" if case.eps is not None else "classifier"
    own: dict[str, Any] = {name: model, "batch_size": len(task.images), "verbose": False}
    if case.name == "jsma":
        own["gamma"] = (2 * case.steps - 1) / task.images[0].numel()  # it stops after the step that exceeds this share
    labels = task.targets if case.targeted else task.labels
    return torch.from_numpy(ATTACKS[case.name](case, **own).generate(task.images.numpy(), labels.numpy()))
