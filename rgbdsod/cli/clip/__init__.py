"""`rgbdsod clip`: zero-shot classification by dual encoders, attacked and hardened on the same core."""

from collections.abc import Callable, Mapping

from rgbdsod.cli.clip.attack import attack
from rgbdsod.cli.clip.attention import attention
from rgbdsod.cli.clip.evaluate import evaluate
from rgbdsod.cli.clip.train import train

COMMANDS: Mapping[str, Callable[..., None]] = {
    "train": train,
    "evaluate": evaluate,
    "attack": attack,
    "attention": attention,
}
