"""The linear models are as good as linear models are."""

import torch

from PACKAGE.linear import logistic_regression, ridge_regression


def test_a_line_is_found():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 4, generator=generator, dtype=torch.float64)
    weight = torch.tensor([[1.0], [-2.0], [0.5], [0.0]], dtype=torch.float64)
    torch.testing.assert_close(ridge_regression(x, x @ weight), weight, atol=0.02, rtol=0.02)


def test_classes_on_two_sides_of_a_line_are_told_apart():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 4, generator=generator, dtype=torch.float64)
    labels = (x[:, 0] > x[:, 1]).long()
    found = (x @ logistic_regression(x, labels, 2)).argmax(dim=1)
    assert (found == labels).double().mean() > 0.97
