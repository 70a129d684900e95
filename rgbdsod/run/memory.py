"""Memory that runs out, and what a run needs."""

import gc

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the machine, has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def free_memory() -> None:
    """Give back what is no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def default_batch(device: torch.device) -> int:
    """Images at once when nobody says: a GPU needs many to be busy, two CPU cores none."""
    return 16 if device.type == "cuda" else 4
