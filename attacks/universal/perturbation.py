"""One noise for all samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rgbdsod.attacks.budget import Budget, Threat
from rgbdsod.attacks.norms import ball
from rgbdsod.attacks.quantise import quantise
from rgbdsod.attacks.universal.file import read_noise, write_noise
from rgbdsod.attacks.universal.radius import check_budgets, size
from rgbdsod.attacks.universal.sizing import check_sizing, sized
from rgbdsod.errors import DataError, UsageError
from rgbdsod.types import Inputs

_SLACK = 1e-5  # of the radius: what float32 loses of it


@dataclass(frozen=True, eq=False)
class Universal:
    """One noise for all samples: a change of each attacked input, with a radius of its own.

    Args:
        noise: by input, (1,C,H,W), no larger than its radius.
        budgets: by input; norm "linf" or "l2", one radius, no mask.
        sizing: what becomes of it on inputs of another size: "resize", "tile" or "fixed".
        facts: where it comes from, in JSON's types: attack, seed, passes, and what the caller adds (model, data).

    Raises:
        UsageError: unknown sizing, inputs without budget, or a budget that a universal noise cannot have.
    """

    noise: Mapping[str, Tensor]
    budgets: Threat
    sizing: str = "resize"
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_sizing(self.sizing)
        check_budgets(self.budgets)
        if set(self.noise) != set(self.budgets):
            raise UsageError(f"noise of {', '.join(self.noise)}, but budgets of {', '.join(self.budgets)}")

    def apply(
        self, inputs: Inputs, *, masks: Mapping[str, Tensor] | None = None, sizing: str | None = None
    ) -> dict[str, Tensor]:
        """The inputs with the noise, inside box and budget.

        Under L2 a noise that was resized or repeated is scaled back to its radius.

        Args:
            inputs: by name, (B, ...) in [0, 1]; those without a noise come back as they are.
            masks: by input, 1 where it may change; broadcast to the input.
            sizing: instead of the noise's own.

        Raises:
            UsageError: an input is missing, or the noise does not fit it.
        """
        if missing := [name for name in self.noise if name not in inputs]:
            raise UsageError(f'the noise is for input "{missing[0]}"; there are {", ".join(inputs)}')
        result = dict(inputs)
        for name, noise in self.noise.items():
            clean, budget = inputs[name], replace(self.budgets[name], mask=(masks or {}).get(name))
            shown = sized(noise.to(clean), clean, sizing or self.sizing)
            result[name] = ball(clean, budget).project(clean + shown)
            if budget.levels:
                result[name] = quantise(result[name], clean, budget)
        return result

    def about(self, **facts: Any) -> "Universal":
        """The same noise with more facts."""
        return replace(self, facts={**self.facts, **facts})

    def save(self, path: str | Path) -> None:
        """Write a safetensors file; it appears whole or not at all.

        Raises:
            DataError: it cannot be written.
        """
        own = {name: {"norm": of.norm, "eps": of.eps, "levels": of.levels} for name, of in self.budgets.items()}
        write_noise(Path(path), self.noise, {"budgets": own, "sizing": self.sizing, "facts": dict(self.facts)})

    @classmethod
    def load(cls, path: str | Path) -> "Universal":
        """Read a file that `save` wrote.

        Raises:
            DataError: it cannot be read, is something else, or its noise is larger than its radius.
        """
        noise, about = read_noise(Path(path))
        try:
            budgets = {name: Budget(**settings) for name, settings in about["budgets"].items()}
            found = cls(noise, budgets, about["sizing"], about["facts"])
        except (TypeError, UsageError) as error:
            raise DataError(f"{path} holds a noise that cannot be used: {error}") from error
        for name, budget in budgets.items():
            if size(noise[name], budget) > float(budget.eps) * (1 + _SLACK):
                raise DataError(
                    f"{path}: the noise of {name} is larger than its radius of {budget.eps:g}; fit it again"
                )
        return found
