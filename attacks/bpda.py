"""A layer without a useful gradient, with that of another function in its place: BPDA."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from rgbdsod.errors import UsageError

Substitute = Callable[[Tensor], Tensor]
"""What the gradient is taken of; its values are not used. It returns the shape that the layer returns."""


class Bpda(nn.Module):
    """The values of one function with the gradient of another.

    Args:
        layer: what the model computes: rounding, JPEG, a purifier.
        substitute: what the gradient is of; by default the identity, which suits layers that nearly return their input.

    Raises:
        UsageError: at the first pass, where the two return different shapes.

    Example:
        >>> import torch
        >>> from rgbdsod.attacks import Bpda
        >>> x = torch.tensor([0.2, 0.7], requires_grad=True)
        >>> y = Bpda(torch.round)(x)
        >>> y.tolist(), torch.autograd.grad(y.sum(), x)[0].tolist()
        ([0.0, 1.0], [1.0, 1.0])

    Source: Athalye et al., "Obfuscated Gradients Give a False Sense of Security", arXiv 1802.00420, section 4.1.2.
    """

    def __init__(self, layer: Callable[[Tensor], Tensor], substitute: Substitute | None = None) -> None:
        super().__init__()
        self.layer, self.substitute = layer, substitute

    def forward(self, x: Tensor) -> Tensor:
        """The layer's values."""
        return _with_gradient(self.layer(x), x if self.substitute is None else self.substitute(x))


@contextmanager
def bpda(model: nn.Module, **substitutes: Substitute | None) -> Iterator[None]:
    """Give layers of a model the gradients of other functions while the block lasts.

    Args:
        model: whose layers are meant.
        substitutes: by the layer's name with "__" for each dot; None: the identity.

    Raises:
        UsageError: the model has no such layer.
    """
    layers = dict(model.named_modules())
    with ExitStack() as stack:
        for key, substitute in substitutes.items():
            name = key.replace("__", ".")
            if name not in layers:
                raise UsageError(f'no layer "{name}" in the model; its layers are {", ".join(filter(None, layers))}')

            def mend(_: nn.Module, takes: Any, gives: Tensor, substitute: Substitute | None = substitute) -> Tensor:
                return _with_gradient(gives, takes[0] if substitute is None else substitute(takes[0]))

            stack.callback(layers[name].register_forward_hook(mend).remove)
        yield


def _with_gradient(value: Tensor, like: Tensor) -> Tensor:
    if value.shape != like.shape:
        raise UsageError(
            f"a layer returned {tuple(value.shape)} and its substitute {tuple(like.shape)}; pass one of equal shape"
        )
    return value.detach() + (like - like.detach())  # adds exactly 0
