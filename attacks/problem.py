"""What is attacked, and how it is held still meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self

from torch import Tensor, nn

from rgbdsod.types import Inputs


class Problem(Protocol):
    """What an attack may ask; it never sees a network, a mask or a prompt.

    All answers are per sample: nothing is reduced over the batch.
    """

    @property
    def name(self) -> str:
        """What messages call the attacked model."""
        ...

    @property
    def kind(self) -> str:
        """What the model gives: "maps", "classes", or one "score"."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        ...

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """The modules that are held in eval mode, without weight gradients, during an attack."""
        ...

    def forward(self, inputs: Inputs) -> Any:
        """The model's outputs, in whatever form the problem's other methods take them."""
        ...

    def loss(self, outputs: Any, progress: float = 0.0) -> Tensor:
        """What the attack raises, (B,); `progress` runs from 0 to 1 for objectives that change on the way."""
        ...

    def track(self, outputs: Any) -> Tensor | None:
        """What "the best point so far" means, (B,), higher is better for the attack; None: the loss."""
        ...

    def fooled(self, outputs: Any) -> Tensor:
        """Whether the attack has reached its aim, bool (B,)."""
        ...

    def margins(self, outputs: Any) -> Tensor:
        """Signed distances (B, K) of the K decisions from their turning points; positive while a decision holds."""
        ...

    def exits(self, outputs: Any) -> Tensor:
        """The ways out (B, E): differentiable, each positive while it is closed; one at or below 0 is success."""
        ...

    def gap(self, outputs: Any) -> Tensor:
        """What is missing to the nearest way out, (B,): positive while the attack has not reached its aim."""
        ...

    def sides(self, outputs: Any) -> tuple[Tensor, Tensor | None]:
        """What a saliency map of the outputs weighs: what is to rise (B,) and what is to fall (B,), if anything is."""
        ...

    def demands(self, outputs: Any) -> tuple[Tensor, Tensor]:
        """What must turn for the nearest way out: margins (B, K), positive while closed, and their shares (B, K)."""
        ...

    def raising(self, objective: str) -> Self:
        """The same problem with another objective, by name."""
        ...

    def given(self, fixed: Inputs) -> Self:
        """The same problem with some inputs filled in; what depends on these alone is computed once, here."""
        ...

    def select(self, index: Tensor) -> Self:
        """The same problem for some of the samples (by index along the batch; an index may repeat)."""
        ...


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Hold modules in eval mode with weights that take no gradient; put each single flag back, also after an error.

    Putting back one flag for the whole network would un-freeze the layers that its owner had frozen on purpose.
    """
    training = {part: part.training for module in modules for part in module.modules()}
    trainable = [weight for module in modules for weight in module.parameters() if weight.requires_grad]
    try:
        for module in modules:
            module.eval()
        for weight in trainable:
            weight.requires_grad_(False)
        yield
    finally:
        for part, flag in training.items():
            part.training = flag
        for weight in trainable:
            weight.requires_grad_(True)
