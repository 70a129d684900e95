"""Dual encoders of images and texts: zero-shot classification in pixel space, behind one interface."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
