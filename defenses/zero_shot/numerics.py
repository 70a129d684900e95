"""Numbers that are none stop a training, with the step and the layer named; they are never set to 0."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.errors import WeightsError


class NumericsError(WeightsError):
    """A loss or a gradient is NaN or infinite."""


def check_losses(
    losses: Mapping[str, Tensor], step: int, module: nn.Module | None = None, again: Callable[[], object] | None = None
) -> None:
    """Stop if a loss is not finite.

    Args:
        losses: by name, one number each.
        step: of the training, for the message.
        module: the encoder, to name the layer.
        again: runs the encoder once more on the same images, to see where it breaks.

    Raises:
        NumericsError: names the loss, the step and the first layer that is not finite.
    """
    finite = torch.stack([torch.isfinite(loss.detach()).all().cpu() for loss in losses.values()])
    if not finite.all():
        name = next(name for name, fine in zip(losses, finite.tolist(), strict=True) if not fine)
        raise not_finite(f'loss "{name}"', step, module, again)


def check_gradients(module: nn.Module, step: int) -> None:
    """Stop if a gradient is not finite; to be called after the backward pass, and after unscaling where there is one.

    Args:
        module: in training.
        step: of the training, for the message.

    Raises:
        NumericsError: names the layer nearest to the loss, which the others got theirs from.
    """
    named = [(name, weight.grad) for name, weight in module.named_parameters() if weight.grad is not None]
    if not named:
        return
    finite = torch.stack([torch.isfinite(gradient).all() for _, gradient in named]).tolist()
    broken = [name for (name, _), fine in zip(named, finite, strict=True) if not fine]
    if broken:
        raise NumericsError(
            f'the gradient of "{broken[-1]}" is not finite at step {step}; '
            "continue from the last checkpoint with a smaller learning rate, or in float32"
        )


def not_finite(
    what: str, step: int, module: nn.Module | None = None, again: Callable[[], object] | None = None
) -> NumericsError:
    """What to tell someone whose training broke down.

    Args:
        what: is not finite.
        step: of the training.
        module, again: see `check_losses`.
    """
    where = None if module is None else _broken_weight(module) or (again and _broken_layer(module, again))
    first = f"; {where}" if where else ""
    return NumericsError(
        f"{what} is not finite at step {step}{first}; "
        "continue from the last checkpoint with a smaller learning rate, or in float32"
    )


def _broken_weight(module: nn.Module) -> str | None:
    for name, weight in module.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            return f'the weights "{name}" are not finite'
    return None


@torch.no_grad()
def _broken_layer(module: nn.Module, again: Callable[[], object]) -> str | None:
    """The first layer in the order of calls whose output is not finite."""
    seen: list[str] = []
    with _watched(module, seen):
        again()
    return f'first in layer "{seen[0]}"' if seen else None


@contextmanager
def _watched(module: nn.Module, seen: list[str]) -> Iterator[None]:
    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(_: nn.Module, takes: Any, gives: Any) -> None:
            if isinstance(gives, Tensor) and not bool(torch.isfinite(gives).all()):
                seen.append(name)

        return note

    handles = [
        part.register_forward_hook(watch(name or type(part).__name__))
        for name, part in module.named_modules()
        if not any(part.children())
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
