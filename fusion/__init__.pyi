from .cross_modal import cross_modal as cross_modal

__all__ = ["cross_modal"]
