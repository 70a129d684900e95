"""What a network costs, against the published figures."""

import pytest

from rgbdsod.models.cost import network_cost
from rgbdsod.models.fusions import with_fusion
from rgbdsod.models.table import MODELS


@pytest.mark.parametrize(
    ("name", "parameters", "billions"), [("bbsnet.paper", 49_769_177, 28.48), ("d3net.paper", 45_227_907, 55.00)]
)
def test_published_networks_cost_what_is_published(name: str, parameters: int, billions: float) -> None:
    cost = network_cost(MODELS[name])
    assert cost.parameters == parameters
    assert cost.macs / 1e9 == pytest.approx(billions, abs=0.006)
    assert cost.seconds is None


def test_small_networks_are_timed() -> None:
    cost = network_cost(MODELS["bbsnet"])
    assert cost.seconds is not None and cost.seconds > 0 and cost.threads >= 1
    assert network_cost(MODELS["bbsnet"], timed=False).seconds is None


@pytest.mark.parametrize("name", ["bbsnet", "jldcf"])
def test_each_further_stream_costs_more(name: str) -> None:
    early, feature, multistage = (
        network_cost(with_fusion(MODELS[name], fusion), timed=False).macs
        for fusion in ("early", "feature", "multistage")
    )
    assert early < feature < multistage
