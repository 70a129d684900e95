"""The threat model, the one batched loop, objectives, and the attacks as settings of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
