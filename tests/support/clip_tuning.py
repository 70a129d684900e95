"""A small untrained dual encoder and generated images, and short trainings of them."""

import torch

from rgbdsod.clip import SmallClip
from rgbdsod.clip.small import SmallNetwork
from rgbdsod.datasets import glyph_set
from rgbdsod.run import harden

IMAGES = glyph_set("tuning", 40, seed=0)


def small_model(seed=0):
    """The architecture of clip.demo with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SmallClip(SmallNetwork())


def trained(out, method=None, model=None, **options):
    """A few updates of eight images each, nothing held out."""
    options = {"iterations": 2, "batch": 8, "val_share": 0.0, **options}
    return harden(small_model() if model is None else model, IMAGES, method, out=out, **options)


def weights_of(model):
    """All weights of the image encoder in one row."""
    return torch.cat([value.detach().flatten() for value in model.visual.parameters()])
