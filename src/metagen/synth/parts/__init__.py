"""Shape-only twins of the PyTorch parts in `template/_parts/`, under the same names."""
