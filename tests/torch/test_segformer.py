"""SegFormer computes what `transformers` computes, from parts and from generated source."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .scenes import FORMS, noisy  # noqa: E402

SIZES = {
    "hidden_sizes": (8, 16, 40, 64),
    "depths": (1, 2, 1, 1),
    "stage_heads": (1, 2, 5, 8),
    "sr_ratios": (4, 2, 2, 1),
    "mlp_ratios": (4, 4, 2, 4),
    "patch_sizes": (7, 3, 3, 3),
    "strides": (4, 2, 2, 2),
    "decoder_dim": 24,
    "num_classes": 7,
    "channels": 3,
    "image_size": 64,
    "norm_eps": 1e-5,
}

NAMES = (
    (r"^segformer\.", ""),
    (r"^decode_head\.batch_norm", "decoder.norm"),
    (r"^decode_head\.linear_fuse", "decoder.fuse"),
    (r"^decode_head\.classifier", "decoder.head"),
    (r"^decode_head\.linear_projections\.(\d)\.proj", r"decoder.projections.\1"),
    (r"patch_embeddings\.layer_norm", "patch_embed.norm"),
    (r"patch_embeddings", "patch_embed"),
    (r"sequence_reduction\.sequence_reduction", "reduction.conv"),
    (r"sequence_reduction\.layer_norm", "reduction.norm"),
    (r"layernorm_before", "attn_norm"),
    (r"layernorm_after", "mlp_norm"),
    (r"\.attention\.", ".attn."),
    (r"mlp\.fc1", "mlp.up_proj"),
    (r"mlp\.dwconv\.dwconv", "mlp.conv"),
    (r"mlp\.fc2", "mlp.down_proj"),
    (r"(stages\.\d)\.layer_norm", r"\1.norm"),
)


def renamed(name: str) -> str:
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


@pytest.fixture(scope="module")
def theirs():
    config = transformers.SegformerConfig(
        num_labels=SIZES["num_classes"],
        num_attention_heads=list(SIZES["stage_heads"]),
        decoder_hidden_size=SIZES["decoder_dim"],
        **{key: list(SIZES[key]) for key in
           ("hidden_sizes", "depths", "sr_ratios", "mlp_ratios", "patch_sizes", "strides")},
    )  # fmt: skip
    return noisy(transformers.SegformerForSemanticSegmentation(config))


@pytest.fixture(scope="module", params=FORMS)
def ours(request, theirs):
    model = FORMS[request.param]("segformer", SIZES)
    model.load_state_dict({renamed(n): t for n, t in theirs.state_dict().items()})
    return model.eval()


@torch.inference_mode()
def test_scores_equal_those_of_the_library(ours, theirs):
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = theirs(images).logits
    assert expected.std() > 0.3
    torch.testing.assert_close(ours(images), expected, atol=1e-4, rtol=0)


def test_losses_and_gradients_equal_those_of_the_library(ours, theirs):
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(2, 3, 64, 64, generator=generator)
    mask = torch.randint(7, (2, 64, 64), generator=generator)
    mask[0, :9] = -1
    loss = ours.loss({"images": images, "mask": mask})
    expected = theirs(images, labels=mask.masked_fill(mask < 0, 255)).loss
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=0)
    ours.zero_grad()
    theirs.zero_grad()
    loss.backward()
    expected.backward()
    mine = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(mine[renamed(name)].grad, parameter.grad, atol=1e-4, rtol=1e-3)
