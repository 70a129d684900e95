"""The balls: where each norm starts, which way it steps and how it comes back.

A ball is one input's budget around its clean value, together with the box [0, 1]. It answers three questions, `start`,
`direction` and `project`, and every attack is written in these terms.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from rgbdsod.attacks.budget import Budget
from rgbdsod.attacks.projections import dims, l0_box, l1_box, l2_box, l2_clip, largest, norm
from rgbdsod.attacks.randomness import Streams
from rgbdsod.errors import UsageError

L1_SHARE = 0.05  # of the values that move in one L1 step, between the 20 % of L1-APGD's start and the 1 % of its end


class Ball(ABC):
    """All values that one input may take.

    Args:
        clean: the clean input (B, ...), float, in [0, 1].
        budget: how far it may move, and where.

    Raises:
        UsageError: the mask or the radius does not fit the input's shape.
    """

    def __init__(self, clean: Tensor, budget: Budget) -> None:
        self.clean = clean
        self.budget = budget
        self.radius = torch.as_tensor(budget.eps, dtype=clean.dtype, device=clean.device)
        self.mask = None if budget.mask is None else budget.mask.to(clean)
        for what, value in (("mask", self.mask), ("eps", self.radius)):
            if value is not None and not _broadcasts(value, clean):
                shapes = f"{tuple(value.shape)} does not fit the input's {tuple(clean.shape)}"
                raise UsageError(f"a budget's {what} of shape {shapes}")
        if self.radius.ndim:
            self.radius = self.radius.reshape(_padded(self.radius, clean))

    @property
    def reach(self) -> Tensor:
        """The length of a step from the centre to the ball's edge."""
        return self.radius

    @abstractmethod
    def default_step(self, steps: int) -> Tensor:
        """The step size that is taken when the user names none, for an attack of that many steps."""

    @abstractmethod
    def direction(self, gradient: Tensor, point: Tensor, top: int | None = None) -> Tensor:
        """The steepest way up, of unit length in this norm; 0 where the gradient is 0. A tensor of its own.

        Args:
            gradient: of the objective at `point`.
            point: where the step starts.
            top: L1 only: how many values share the step; None: 5 % of them.
        """

    @abstractmethod
    def project(self, point: Tensor) -> Tensor:
        """The nearest allowed value (L2: see `Budget.exact`); masked places come back bit-equal to the clean ones."""

    @abstractmethod
    def start(self, streams: Streams) -> Tensor:
        """A random point of the ball, uniform in it before the box cuts it."""

    @abstractmethod
    def edge(self, streams: Streams, share: float = 1.0) -> Tensor:
        """A random point at `share` of the radius from the centre, before the box cuts it."""

    def masked(self, v: Tensor) -> Tensor:
        """A change or a gradient, without what lies outside the mask."""
        return v if self.mask is None else v * self.mask

    def free(self) -> Tensor:
        """How many values of each sample may change (at least 1), (B, 1, ..., 1)."""
        return self.masked(torch.ones_like(self.clean)).sum(dims(self.clean), keepdim=True).clamp_min(1)

    def moved(self, point: Tensor) -> Tensor:
        """The point, clean outside the mask."""
        return point if self.mask is None else torch.addcmul(self.clean, point - self.clean, self.mask)


class Linf(Ball):
    """Every value may move by the radius; mask and radius maps become the two bounds of one clamp."""

    def __init__(self, clean: Tensor, budget: Budget) -> None:
        super().__init__(clean, budget)
        radius = self.masked(self.radius.expand_as(clean))
        self.lower = (clean - radius).clamp_(0, 1)
        self.upper = (clean + radius).clamp_(0, 1)

    def default_step(self, steps: int) -> Tensor:
        """A quarter of the radius: 2/255 at 8/255, as in Madry et al., arXiv 1706.06083."""
        return self.radius / 4

    def direction(self, gradient: Tensor, point: Tensor, top: int | None = None) -> Tensor:
        """The gradient's signs."""
        return gradient.sign()

    def project(self, point: Tensor) -> Tensor:
        """One clamp."""
        return torch.clamp(point, self.lower, self.upper)

    def start(self, streams: Streams) -> Tensor:
        """Uniform in the cube."""
        return self.project(torch.addcmul(self.clean, streams.uniform(self.clean).mul_(2).sub_(1), self.radius))

    def edge(self, streams: Streams, share: float = 1.0) -> Tensor:
        """A random sign everywhere."""
        return self.project(torch.addcmul(self.clean, streams.normal(self.clean).sign_(), share * self.radius))


class _Radial(Ball):
    """What L2 and L1 share: a random point is a random way out, times a length."""

    @abstractmethod
    def _noise(self, streams: Streams) -> Tensor:
        """Noise whose direction is uniform on this norm's sphere."""

    @abstractmethod
    def _unit(self, v: Tensor) -> Tensor:
        """`v` at length 1, inside the mask."""

    def start(self, streams: Streams) -> Tensor:
        """At `radius * U^(1/d)` from the centre: uniform in the ball."""
        one_each = self.clean.new_empty(self.clean.shape[0], *[1] * (self.clean.ndim - 1))
        share = streams.uniform(one_each) ** (1 / self.free())
        return self._away(streams, share * self.radius)

    def edge(self, streams: Streams, share: float = 1.0) -> Tensor:
        """On the sphere of a share of the radius."""
        return self._away(streams, share * self.radius)

    def _away(self, streams: Streams, distance: Tensor) -> Tensor:
        return self.project(torch.addcmul(self.clean, self._unit(self._noise(streams)), distance))


class L2(_Radial):
    """The Euclidean length of the change is bounded."""

    def default_step(self, steps: int) -> Tensor:
        """2.5 radii over the whole attack, so that any point of the ball can be reached and left."""
        return self.radius * (2.5 / max(steps, 1))

    def direction(self, gradient: Tensor, point: Tensor, top: int | None = None) -> Tensor:
        """The gradient at length 1."""
        return self._unit(gradient)

    def project(self, point: Tensor) -> Tensor:
        """Scaled to the ball and clipped, or the nearest point of both."""
        return (l2_box if self.budget.exact else l2_clip)(self.moved(point), self.clean, self.radius)

    def _noise(self, streams: Streams) -> Tensor:
        return streams.normal(self.clean)

    def _unit(self, v: Tensor) -> Tensor:
        return unit(self.masked(v), 2)


class L1(_Radial):
    """The sum of the absolute changes is bounded."""

    def default_step(self, steps: int) -> Tensor:
        """A fifth of the radius."""
        return self.radius / 5

    def direction(self, gradient: Tensor, point: Tensor, top: int | None = None) -> Tensor:
        """Signs of the largest gradients among the values that can still move inside the box, over their number."""
        movable = torch.where(gradient > 0, point < 1, point > 0)
        score = self.masked(gradient.abs() * movable)
        count = top or max(1, round(L1_SHARE * gradient[0].numel()))
        chosen = largest(score, count, count) & (score > 0)
        return gradient.sign() * chosen / count

    def project(self, point: Tensor) -> Tensor:
        """The nearest point of ball and box."""
        return l1_box(self.moved(point), self.clean, self.radius)

    def _noise(self, streams: Streams) -> Tensor:
        centred = streams.uniform(self.clean) - 0.5
        return centred.sign() * -torch.log1p(-2 * centred.abs())

    def _unit(self, v: Tensor) -> Tensor:
        return unit(self.masked(v), 1)


class L0(Ball):
    """The number of changed positions (pixels, or single values) is bounded."""

    def __init__(self, clean: Tensor, budget: Budget) -> None:
        super().__init__(clean, budget)
        self._most = int(self.radius.max().clamp(max=clean[0].numel()))
        self._per_pixel = budget.unit == "pixel"

    @property
    def reach(self) -> Tensor:
        """As many units as values may change: in one step of it the mean value moves through the whole range."""
        return self.free()

    def default_step(self, steps: int) -> Tensor:
        """The reach. Smaller steps cling to the positions of the start, which already have their gain.

        On the two reference networks this beats 0.15 per value, which the paper has on CIFAR-10, by half the loss.
        """
        return self.reach

    def direction(self, gradient: Tensor, point: Tensor, top: int | None = None) -> Tensor:
        """The gradient at L1 length 1."""
        return unit(self.masked(gradient), 1)

    def project(self, point: Tensor) -> Tensor:
        """The positions with the largest gain, the others clean."""
        return l0_box(self.moved(point), self.clean, self.radius, most=self._most, per_pixel=self._per_pixel)

    def start(self, streams: Streams) -> Tensor:
        """Random positions, uniform values."""
        return self._scattered(streams, streams.uniform(self.clean), 1.0)

    def edge(self, streams: Streams, share: float = 1.0) -> Tensor:
        """Random positions, each value 0 or 1."""
        return self._scattered(streams, streams.uniform(self.clean).round_(), share)

    def _scattered(self, streams: Streams, values: Tensor, share: float) -> Tensor:
        """`values` at a share of the allowed number of positions, drawn among those inside the mask."""
        allowed = self.masked(torch.ones_like(self.clean)) > 0
        positions = allowed.any(1, keepdim=True) if self._per_pixel else allowed
        lottery = torch.where(positions, streams.uniform(self.clean[:, :1] if self._per_pixel else self.clean), -1.0)
        drawn = largest(lottery, (share * self.radius).floor(), self._most) & allowed
        return torch.where(drawn, values, self.clean)


BALLS: dict[str, type[Ball]] = {"linf": Linf, "l2": L2, "l1": L1, "l0": L0}


def ball(clean: Tensor, budget: Budget) -> Ball:
    """The ball of a budget around a clean input."""
    return BALLS[budget.norm](clean, budget)


def length(change: Tensor, budget: Budget) -> Tensor:
    """The size (B,) of each sample's change in the budget's norm; for L0 the number of changed positions."""
    if budget.norm == "l0":
        changed = change.ne(0)
        return (changed.any(1) if budget.unit == "pixel" else changed).flatten(1).sum(1).to(change)
    return norm(change, {"linf": float("inf"), "l2": 2, "l1": 1}[budget.norm]).flatten()


def unit(gradient: Tensor, order: float) -> Tensor:
    """Each sample's gradient at length 1, and 0 where it is 0.

    The largest value is divided out first: the square of a gradient near 1e-25 is 0 in float32.
    """
    tiny = torch.finfo(gradient.dtype).tiny
    scaled = gradient / gradient.abs().amax(dims(gradient), keepdim=True).clamp_min(tiny)
    return scaled / norm(scaled, order).clamp_min(tiny)


def _padded(value: Tensor, like: Tensor) -> tuple[int, ...]:
    """`value`'s shape with ones in front, up to as many dimensions as `like` has."""
    return (1,) * (like.ndim - value.ndim) + tuple(value.shape)


def _broadcasts(value: Tensor, like: Tensor) -> bool:
    if value.ndim > like.ndim:
        return False
    return all(have in (1, want) for have, want in zip(_padded(value, like), like.shape, strict=True))
