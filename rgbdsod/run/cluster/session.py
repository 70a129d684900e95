"""The connection to a Ray cluster."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from rgbdsod.errors import UsageError


@dataclass(frozen=True)
class Cluster:
    """Where pieces are computed.

    Args:
        address: "local" starts Ray on this machine, "auto" finds the cluster that this machine belongs to; or
            HOST:PORT of its head.
        gpus: what each task asks for, 0 for none; less than 1 shares a GPU.

    Raises:
        UsageError: it asks for less than nothing.
    """

    address: str
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.gpus < 0 or (self.gpus > 1 and self.gpus % 1):
            raise UsageError(f"--gpus-per-task {self.gpus:g}: expected 0, a share such as 0.5, or a whole number")

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """Ray, connected while the block runs; a connection that is there is used, and stays.

        Raises:
            UsageError: Ray is not installed, or there is no such cluster.
        """
        try:
            ray: Any = import_module("ray")
        except ImportError as error:
            raise UsageError('--ray needs Ray: pip install "rgbdsod[ray]"') from error
        if ray.is_initialized():
            yield ray
            return
        self._connect(ray)
        try:
            yield ray
        finally:
            ray.shutdown()

    def _connect(self, ray: Any) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a task without GPUs sees none
        before = signal.getsignal(signal.SIGTERM)
        try:
            own = {"include_dashboard": False} if self.address == "local" else {}
            ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except (OSError, ValueError, RuntimeError) as error:  # a ConnectionError is an OSError
            found = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UsageError(
                f"--ray {self.address}: no cluster there ({found}); start one (ray start --head), or use --ray local"
            ) from error
        with suppress(ValueError, TypeError):  # not in the main thread
            signal.signal(signal.SIGTERM, before)  # Ray's own would leave the folder as if it were still at work
