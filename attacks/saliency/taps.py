"""What chosen layers of a network give out during a forward pass."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn

from rgbdsod.errors import UsageError


class Taps:
    """Listens to layers while it is open.

    Args:
        modules: of the attacked problem.
        layers: names of layers inside them, as `named_modules` gives them; None: all convolutions, or where there are
            none, all layers that have weights of their own.

    Raises:
        UsageError: no layer has that name, or there is none to listen to.
    """

    def __init__(self, modules: Sequence[nn.Module], layers: Sequence[str] | None = None) -> None:
        known = {name: part for module in modules for name, part in module.named_modules() if name}
        self._layers = _leaves(known) if layers is None else {name: _layer(known, name) for name in layers}
        if not self._layers:
            raise UsageError("no layer to listen to: the problem holds no modules; pass modules=(NETWORK,) to it")
        self._heard: dict[str, Tensor] = {}
        self._hooks = [part.register_forward_hook(self._listener(name)) for name, part in self._layers.items()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()

    def read(self) -> dict[str, Tensor]:
        """What was given out since the last reading, in order; a layer's second time is "NAME#2"."""
        heard, self._heard = self._heard, {}
        return heard

    def only(self, heard: Iterable[str]) -> None:
        """Stop listening to layers other than these, by the names in a reading."""
        kept = {name.partition("#")[0] for name in heard}
        for name, hook in zip(self._layers, self._hooks, strict=True):
            if name not in kept:
                hook.remove()

    def _listener(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def listen(layer: nn.Module, taken: Any, given: Any) -> None:
            if isinstance(given, Tensor):
                key, times = name, 1
                while key in self._heard:
                    times += 1
                    key = f"{name}#{times}"
                self._heard[key] = given

        return listen


def _leaves(known: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """All convolutions; where there are none, all layers with weights of their own."""
    owners = {name: part for name, part in known.items() if any(True for _ in part.parameters(recurse=False))}
    return {name: part for name, part in owners.items() if _convolves(part)} or owners


def _convolves(part: nn.Module) -> bool:
    return isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d))


def _layer(known: dict[str, nn.Module], name: str) -> nn.Module:
    if name not in known:
        close = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f'; did you mean "{close[0]}"?' if close else f"; layers are {', '.join(list(known)[:8])} ..."
        raise UsageError(f'--layers: no layer "{name}"{hint}')
    return known[name]
