"""A hardening of the tiny encoder, and a batch for it."""

import torch
from defenses_encoder import CLASSES, TinyEncoder, images, texts

from rgbdsod.defenses import Hardening, InnerAttack, TuningBatch, hardening_method

EPS = InnerAttack(eps=8 / 255, step_size=8 / 255)


def moved_encoder(kind=TinyEncoder):
    """A model that has been trained a little: it no longer agrees with the original one."""
    encoder = kind()
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return encoder


def hardening(method, *, attack=EPS, kind=TinyEncoder, **settings):
    made = hardening_method(method, **settings) if isinstance(method, str) else method
    return Hardening(made, moved_encoder(kind), original=kind(), texts=texts(), negated=texts(seed=5), attack=attack)


def batch(count=4, **more):
    labels = torch.arange(count) % (CLASSES - 1)
    return TuningBatch(images(count), [f"sample {i}" for i in range(count)], labels, **more)
