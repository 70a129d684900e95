"""Samples, public data sets, folder reader, generated scenes and the built-in demo set."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
