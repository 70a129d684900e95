from .write import report as report

__all__ = ["report"]
