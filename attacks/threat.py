"""Threat models from what a user types: which inputs, how far."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from rgbdsod.attacks.budget import Budget, check_eps
from rgbdsod.attacks.door import check_modality
from rgbdsod.errors import UsageError

Radius = float | Tensor


def threat(
    modality: str | None = None,
    eps: Radius | Mapping[str, Radius] = 8 / 255,
    norm: str = "linf",
    *,
    inputs: Sequence[str] = ("rgb", "depth"),
    model: str = "the model",
    masks: Mapping[str, Tensor] | None = None,
    levels: Mapping[str, int] | None = None,
) -> dict[str, Budget]:
    """One budget for each attacked input.

    Args:
        modality: an input's name, or "both" for all inputs. None: the inputs that `eps` names, or all.
        eps: one radius for all attacked inputs, or one for each by name.
        norm: "linf", "l2", "l1" or "l0".
        inputs: the model's inputs.
        model: what messages call the model.
        masks: by input, 1 where it may change.
        levels: by input, the highest code of the grid that it is saved on.

    Returns:
        Budgets by input, for `perturb`.

    Raises:
        UsageError: the model has no such input, a radius is missing, or one cannot be meant.

    Example:
        >>> from rgbdsod.attacks.threat import threat
        >>> sorted(threat("both", {"rgb": 2 / 255, "depth": 8 / 255}))
        ['depth', 'rgb']
    """
    if modality is None:
        names = list(eps) if isinstance(eps, Mapping) else list(inputs)
    else:
        names = list(inputs) if modality == "both" else [modality]
    check_modality(names, inputs, model)
    budgets = {}
    for name in names:
        if isinstance(eps, Mapping) and name not in eps:
            raise UsageError(f"--eps names {', '.join(eps)}, but {name} is attacked too; pass --eps-{name}")
        radius = eps[name] if isinstance(eps, Mapping) else eps
        check_eps(radius, norm, f"--eps-{name}" if isinstance(eps, Mapping) else "--eps")
        budgets[name] = Budget(norm, radius, (masks or {}).get(name), (levels or {}).get(name))
    return budgets
