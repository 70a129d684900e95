"""Is an input attacked? Then go on with the other one."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses.filters.rebuild import Rebuilder, rebuilt
from rgbdsod.defenses.patch.cross.streams import MODALITIES, Model, by_replacement, check_pair, check_victim, held
from rgbdsod.defenses.patch.cross.translation import CrossTranslation
from rgbdsod.defenses.patch.switches.pair_head import Judge
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

WAYS = ("disagreement", "heads", "reconstruction", "translation")
WATCHED = {"rgb": ("rgb",), "depth": ("depth",), "both": MODALITIES}
FALLBACKS = ("mean", "rebuild")


@dataclass(frozen=True, eq=False, kw_only=True)
class Detect(Switch):
    """The watched input that looks more attacked than clean images do is replaced, and the network goes on without it.

    An input is accused where its evidence exceeds a limit that clean images set; with several watched inputs each gets
    an equal share of the false alarms, and of two accused ones the further beyond its limit goes. Evidence is counted
    in deviations of the clean images', above their limit; the score is its largest.

    Args:
        on: not used.
        threshold: added to all limits, in these deviations; 0 keeps the false alarms as asked.
        by: "disagreement": how much the map changes when the input is replaced by its mean, three passes of the model;
            "heads": the trained logits of "RGB was attacked" and "depth was attacked"; "reconstruction": the error of
            masked modelling; "translation": depth that a small built-in network does not expect of RGB.
        watch: "rgb", "depth" or "both".
        fallback: what an accused input is replaced by: its "mean", what modality dropout trains networks for, or
            "rebuild": what masked modelling makes of the other.
        fpr: share of clean images that may be accused, above 0 and below 1; None: as `calibrate` says.
        model: of RGB and depth; for disagreement.
        judge: for heads.
        rebuilder: for reconstruction, and for rebuild.
        limits, scales: for each watched input, what `calibrate` found.

    Raises:
        UsageError: no such way, input or fall-back; a rate outside; something that the way needs is missing.

    Source: thresholds on clean data: Xu et al., Feature Squeezing, arXiv 1704.01155, section V; disagreement after Fan
        et al., D3Net, arXiv 1907.06781, section IV-C; heads after Shao et al., HAMMER, arXiv 2304.02556.
    """

    by: str = "disagreement"
    watch: str = "both"
    fallback: str = "mean"
    fpr: float | None = None
    model: Model | None = None
    judge: Judge | None = None
    rebuilder: Rebuilder | None = None
    limits: tuple[float, ...] | None = None
    scales: tuple[float, ...] | None = None
    translation: CrossTranslation | None = field(default=None, init=False, repr=False)

    name: ClassVar[str] = "detect"
    sharpness: ClassVar[float] = 4.0
    published: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for setting, value, known in (
            ("by", self.by, WAYS), ("watch", self.watch, tuple(WATCHED)), ("fallback", self.fallback, FALLBACKS),
        ):  # fmt: skip
            if value not in known:
                raise UsageError(f"detect({setting}={value}): expected one of {', '.join(known)}")
        if self.fpr is not None and not 0 < self.fpr < 1:
            raise UsageError(
                f"detect(fpr={self.fpr:g}): pass a share of clean images above 0 and below 1, such as 0.05"
            )
        if self.by == "translation" and self.watch != "depth":
            raise UsageError(
                f"detect(by=translation) expects depth of RGB, and cannot watch {self.watch}; write "
                "detect(by=translation,watch=depth)"
            )
        if self.by == "translation":
            object.__setattr__(self, "translation", CrossTranslation())

    @property
    def watched(self) -> tuple[str, ...]:
        """The inputs that may be dropped."""
        return WATCHED[self.watch]

    def in_front_of(self, victim: object) -> Self:
        """The same defence for this victim.

        Raises:
            UsageError: it is no network of RGB and depth.
        """
        return replace(self, model=check_victim(self.name, victim))

    def instead(self, name: str, inputs: Inputs) -> Tensor:
        """The input's mean, or the input drawn anew."""
        if self.fallback == "mean":
            return super().instead(name, inputs)
        return rebuilt(self.rebuilder, self.name, name, inputs)

    def accusations(self, inputs: Inputs) -> Tensor:
        """Evidence beyond the limits, in clean deviations, (B,S)."""
        if self.limits is None or self.scales is None:
            raise UsageError("detect has no limits yet; call .calibrate(clean images) first")
        found = self.evidence(inputs)
        return (found - found.new_tensor(self.limits)) / found.new_tensor(self.scales)

    def evidence(self, inputs: Inputs) -> Tensor:
        """How attacked each watched input looks, (B,S), in the way's own unit; differentiable."""
        check_pair(self.name, inputs)
        pair = {name: inputs[name] for name in MODALITIES}
        if self.by == "disagreement":
            return self._disagreement(pair)
        if self.translation is not None:
            return self.translation.maps(pair)["depth"].flatten(1).mean(1)[:, None]
        if self.by == "reconstruction":
            errors = [(rebuilt(self.rebuilder, self.name, name, pair) - pair[name]).abs() for name in self.watched]
            return torch.stack([error.flatten(1).mean(1) for error in errors], 1)
        if self.judge is None:
            raise UsageError(
                "detect(by=heads) needs the heads of a training with --manipulation; pass judge=..., or on the command "
                "line --weights RUN/checkpoints/best.pt of such a training"
            )
        return self.judge(pair)[:, [MODALITIES.index(name) for name in self.watched]]

    @torch.no_grad()
    def calibrate(self, inputs: Inputs, share: float = 0.05) -> Self:
        """The same defence with the limits that accuse at most a share of these clean images.

        Args:
            inputs: clean images.
            share: of them; the defence's own `fpr` wins. Of fewer than 1 / share images, none is accused.

        Raises:
            UsageError: a share outside.
        """
        rate = self.fpr if self.fpr is not None else share
        if not 0 < rate < 1:
            raise UsageError(f"a share of {rate:g} clean images: pass one above 0 and below 1, such as 0.05")
        self.images(inputs)
        found = self.evidence(inputs)
        level = 1 - rate / len(self.watched)
        limits = torch.quantile(found.double(), level, dim=0, interpolation="higher")
        scales = found.double().std(0, correction=0).clamp_min(1e-6)
        return replace(self, limits=tuple(limits.tolist()), scales=tuple(scales.tolist()))

    def _disagreement(self, pair: Inputs) -> Tensor:
        """What each watched input changes in the map: an attack must change it, or it does no harm."""
        if self.model is None:
            raise UsageError("detect(by=disagreement) compares maps of a model; call .in_front_of(model) first")
        with frozen(*held(self.model)):
            streams = by_replacement(self.model, pair)
        without = {"rgb": streams.depth, "depth": streams.rgb}
        return torch.stack([(streams.both - without[name]).abs().mean((1, 2, 3)) for name in self.watched], 1)
