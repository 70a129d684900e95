from .write import Format as Format
from .write import report as report

__all__ = ["Format", "report"]
