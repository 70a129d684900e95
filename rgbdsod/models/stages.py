"""The three places where each published architecture can fuse its streams, and the references that fuse nothing."""

from typing import Literal, get_args

from rgbdsod.errors import UsageError

Fusion = Literal["early", "feature", "multistage"]
"""early: the inputs are concatenated; feature: the encoders meet once, at stride 8, and one trunk goes on;
multistage: they meet at every level."""

Reference = Literal["rgb", "depth"]
"""The architecture reads this input alone."""

MIDDLE = 8
"""The stride at which feature-level fusion takes place."""


def check_fusion(network: str, fusion: str) -> None:
    """Refuse a fusion that the architectures do not have.

    Raises:
        UsageError: with the ones that they have.
    """
    known = (*get_args(Fusion), *get_args(Reference))
    if fusion not in known:
        raise UsageError(f'{network} has fusion {", ".join(known)}; got "{fusion}"')


def no_streams(network: str) -> UsageError:
    """What a network of one encoder answers when asked for its two."""
    return UsageError(
        f"{network} has no separate encoders of RGB and depth, which alignment losses compare; "
        "choose a fusion with two streams, or leave these losses out"
    )


def fused_stages(fusion: Fusion, strides: tuple[int, ...]) -> tuple[int, ...]:
    """Indices of the stages at which two encoders meet.

    Args:
        fusion: the design.
        strides: of the encoders' stages.
    """
    if fusion == "early":
        return ()
    return (strides.index(MIDDLE),) if fusion == "feature" else tuple(range(len(strides)))
