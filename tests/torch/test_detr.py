"""The detection transformer computes what `transformers` computes; its masks what they should."""

from __future__ import annotations

import itertools
import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .packages import part  # noqa: E402
from .scenes import FORMS, noisy  # noqa: E402

SIZES = {
    "image_size": 64,
    "channels": 3,
    "num_classes": 7,
    "num_queries": 9,
    "stem_dim": 8,
    "hidden_sizes": (16, 32, 64, 64),
    "depths": (1, 2, 1, 1),
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "n_heads": 4,
    "d_ff": 48,
    "norm_eps": 1e-5,
    "mlp": "plain",
    "activation": "relu",
    "mlp_bias": True,
}

NAMES = (
    (r"^model\.backbone\.model\.embedder\.embedder\.convolution", "backbone.stem"),
    (r"^model\.backbone\.model\.embedder\.embedder\.normalization", "backbone.stem_norm"),
    (r"^model\.backbone\.model\.encoder\.stages\.(\d)\.layers", r"backbone.stages.\1"),
    (r"shortcut\.convolution", "shortcut.0"),
    (r"shortcut\.normalization", "shortcut.1"),
    (r"layer\.0\.convolution", "conv1"),
    (r"layer\.1\.convolution", "conv2"),
    (r"layer\.2\.convolution", "conv3"),
    (r"layer\.0\.normalization", "norm1"),
    (r"layer\.1\.normalization", "norm2"),
    (r"layer\.2\.normalization", "norm3"),
    (r"^model\.query_position_embeddings", "query_embed"),
    (r"^model\.input_projection", "input_proj"),
    (r"^model\.decoder\.layernorm", "norm"),
    (r"^model\.(encoder|decoder)\.layers", r"\1"),
    (r"^(decoder\.\d)\.self_attn_layer_norm", r"\1.self_norm"),
    (r"self_attn_layer_norm", "attn_norm"),
    (r"^(encoder\.\d)\.self_attn", r"\1.attn"),
    (r"encoder_attn_layer_norm", "cross_norm"),
    (r"encoder_attn", "cross_attn"),
    (r"final_layer_norm", "mlp_norm"),
    (r"mlp\.fc1", "mlp.up_proj"),
    (r"mlp\.fc2", "mlp.down_proj"),
    (r"^class_labels_classifier", "class_head"),
    (r"^bbox_predictor\.layers", "box_head"),
)


def renamed(name: str) -> str:
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


@pytest.fixture(scope="module")
def theirs():
    backbone = transformers.ResNetConfig(
        embedding_size=SIZES["stem_dim"], hidden_sizes=list(SIZES["hidden_sizes"]),
        depths=list(SIZES["depths"]), layer_type="bottleneck", out_features=["stage4"],
    )  # fmt: skip
    config = transformers.DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
        backbone_config=backbone, num_queries=SIZES["num_queries"], d_model=SIZES["d_model"],
        encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=SIZES["d_ff"], decoder_ffn_dim=SIZES["d_ff"],
        num_labels=SIZES["num_classes"],
    )  # fmt: skip
    return noisy(transformers.DetrForObjectDetection(config))


@pytest.fixture(scope="module", params=FORMS)
def ours(request, theirs):
    model = FORMS[request.param]("detr", SIZES)
    model.load_state_dict({renamed(n): t for n, t in theirs.state_dict().items()})
    return model.eval()


@torch.inference_mode()
def test_scores_and_boxes_equal_those_of_the_library(ours, theirs):
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    expected, found = theirs(images), ours(images)
    assert expected.logits.std() > 0.3
    torch.testing.assert_close(found["logits"], expected.logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(found["boxes"], expected.pred_boxes, atol=1e-4, rtol=0)


def test_the_pairing_is_the_cheapest():
    generator = torch.Generator().manual_seed(3)
    for rows, columns in itertools.product(range(1, 7), range(5)):
        if columns > rows:
            continue
        costs = torch.randn(rows, columns, generator=generator).double().numpy()
        chosen, paired = part("matching").assign(costs)
        every = itertools.permutations(range(rows), columns)
        best = min(sum(costs[row, i] for i, row in enumerate(order)) for order in every)
        assert costs[chosen, paired].sum() == pytest.approx(best)


def test_the_set_loss_is_its_definition():
    """One picture, two objects, queries that are already paired with them."""
    detr, boxes = part("detr"), torch.tensor([[[0.3, 0.3, 0.2, 0.2], [0.6, 0.6, 0.4, 0.2]]])
    batch = {"labels": torch.tensor([[1, 0]]), "boxes": boxes}
    logits = torch.tensor([[[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 3.0]]])
    found = torch.tensor([[[0.3, 0.3, 0.2, 0.2], [0.6, 0.7, 0.4, 0.2], [0.9, 0.1, 0.1, 0.1]]])
    rows, queries, objects = detr.match(logits, found, batch)
    assert queries.tolist() == [0, 1] and objects.tolist() == [0, 1] and rows.tolist() == [0, 0]
    surprise = -logits[0].log_softmax(-1)
    classes = surprise[0, 1] + surprise[1, 0] + 0.1 * surprise[2, 2]
    distance = 5 * 0.1 / 2
    # The second box is moved by half of its height: a third is shared, and two fill three parts.
    overlap = 2 * (0 + (1 - 1 / 3)) / 2
    expected = classes / 2.1 + distance + overlap
    loss = detr.set_loss(logits, found, batch, (rows, queries, objects), 0.1)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("form", FORMS)
def test_masks_are_products_of_queries_and_pixels(form):
    model = noisy(FORMS[form]("detr_masks", SIZES | {"masks": True}))
    head = model.mask_head
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        found, features = model.decode(images)
        x = features[-1]
        for i in (2, 1, 0):
            x = torch.nn.functional.interpolate(x, features[i].shape[-2:])
            x = torch.relu(head.smooth[i](x + head.laterals[i](features[i])))
        pixels, queries = head.pixel_proj(x), found[-1]
        for i in range(3):
            queries = head.query_proj[i](torch.relu(queries) if i else queries)
        expected = torch.einsum("bqd,bdyx->bqyx", queries, pixels)
        assert expected.std() > 0.1 and expected.shape == (2, 9, 16, 16)
        torch.testing.assert_close(model(images)["masks"], expected, atol=1e-4, rtol=1e-4)


def test_mask_losses_are_their_definitions():
    losses = part("mask_head").mask_losses
    scores = torch.tensor([[[4.0, -2.0], [0.0, 1.0]]])
    masks = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    shares = scores.sigmoid()
    entropy = -(masks * shares.log() + (1 - masks) * (1 - shares).log()).mean()
    dice = 1 - (2 * (shares * masks).sum() + 1) / (shares.sum() + masks.sum() + 1)
    torch.testing.assert_close(losses(scores, masks), 5 * (entropy + dice))
