"""Adversarial training moves inputs within the threat, upwards, and leaves the network as it was."""

import torch

from rgbdsod.attacks import Budget, MapProblem
from rgbdsod.defenses import AdversarialTraining
from rgbdsod.models import build_model


def test_only_the_named_input_moves_within_its_budget() -> None:
    model = build_model("bbsnet", seed=0, device="cpu").train()
    model.network.agg1.eval()  # a part that its owner holds still
    modes = [module.training for module in model.modules()]
    generator = torch.Generator().manual_seed(0)
    inputs = {name: torch.rand(2, k, 64, 64, generator=generator) for name, k in (("rgb", 3), ("depth", 1))}
    masks = (torch.rand(2, 1, 64, 64, generator=generator) > 0.5).float()
    how = AdversarialTraining(threat={"depth": Budget(eps=0.1)}, steps=3)
    moved = how(model, inputs, masks, seed=1, sample_ids=["a", "b"])
    assert torch.equal(moved["rgb"], inputs["rgb"])
    change = (moved["depth"] - inputs["depth"]).abs()
    assert 0 < change.max() <= 0.1 + 1e-6
    assert [module.training for module in model.modules()] == modes
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())

    model.eval()
    problem = MapProblem(model, masks)
    with torch.no_grad():
        clean, hard = (problem.loss(problem.forward(points)) for points in (inputs, moved))
    assert (hard > clean).all()
