"""Which losses keep an attacked network near its clean self, and how much each counts."""

from dataclasses import dataclass, fields

from rgbdsod.errors import UsageError


@dataclass(frozen=True)
class ConsistencySettings:
    """Weights of the losses that adversarial training may add; 0 leaves one out.

    Args:
        attention_consistency: the cross-modal attention of attacked inputs stays where that of clean ones is.
        feature_consistency: the features of attacked inputs stay where the frozen clean network has the clean ones.
        model_constraint: the map of attacked inputs stays near the frozen clean network's map of clean ones.

    Raises:
        UsageError: a weight is negative or not finite.
    """

    attention_consistency: float = 0.0
    feature_consistency: float = 0.0
    model_constraint: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf"):
                raise UsageError(f"--{field.name.replace('_', '-')} {value:g}: a weight of 0 or more, such as 1")

    @property
    def weights(self) -> dict[str, float]:
        """The losses that are on."""
        return {field.name: weight for field in fields(self) if (weight := getattr(self, field.name)) > 0}

    def check(self, *, attacked: bool, begun: bool) -> None:
        """Refuse losses that would compare nothing.

        Args:
            attacked: whether the training attacks its inputs.
            begun: whether it begins with trained weights.

        Raises:
            UsageError: there are no attacked inputs, or the frozen network would be an untrained one.
        """
        for name in self.weights:
            flag = f"--{name.replace('_', '-')}"
            if not attacked:
                raise UsageError(f"{flag} compares attacked inputs with clean ones; pass --adversarial pgd too")
            if name != "attention_consistency" and not begun:
                raise UsageError(
                    f"{flag} keeps the network near the one that the training begins with, which is untrained; "
                    "pass --init FILE with the weights of a clean training"
                )
