"""A network for runs on a Ray cluster of which one node has to die."""

import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from run_models import StandsOut

from rgbdsod.models import SaliencyModel, wrap

DOOMED = "RGBDSOD_TEST_DOOMED"
"""Set on a node whose first pass says so in the file of this name, and never ends."""


class Mortal(StandsOut):
    """Computes, but not on the node that will be removed."""

    def forward(self, rgb: torch.Tensor, depth: torch.Tensor) -> dict[str, torch.Tensor]:
        marker = os.environ.get(DOOMED)
        if marker:
            Path(marker).touch()
            time.sleep(600)
        return super().forward(rgb, depth)


def mortal() -> SaliencyModel:
    """The network, wrapped, in evaluation mode."""
    return wrap(Mortal(), name="mortal").eval()


def small_node() -> dict[str, Any]:
    """Settings of a node with one CPU; it is not waited for while it looks for ports, of which Ray soon tires."""
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    with ExitStack() as open_:
        doors = [open_.enter_context(socket.socket()) for _ in names]
        for door in doors:
            door.bind(("", 0))
        ports = [door.getsockname()[1] for door in doors]
    memory = {"num_cpus": 1, "object_store_memory": 80_000_000}
    return memory | dict(zip(names, ports, strict=True)) | {"include_log_monitor": False}
