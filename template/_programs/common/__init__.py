"""Configuration, model and data of one released model."""

from .config import Config

__all__ = ["Config", "build_model", "synthetic_batch"]


def __getattr__(name: str):
    """Import PyTorch on first use: `verify` checks the documents without it."""
    if name == "build_model":
        from .model import build_model

        return build_model
    if name == "synthetic_batch":
        from .data import synthetic_batch

        return synthetic_batch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
