"""`rgbdsod clip`: zero-shot classification by dual encoders, attacked and hardened on the same core."""

from collections.abc import Callable, Mapping

from rgbdsod.cli.clip.attack import attack
from rgbdsod.cli.clip.evaluate import evaluate

COMMANDS: Mapping[str, Callable[..., None]] = {
    "evaluate": evaluate,
    "attack": attack,
}
