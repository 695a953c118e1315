"""CLIP and SigLIP: the dual encoder computes what their `transformers` twins compute."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .packages import config_of, generated_package, part  # noqa: E402

SIZE = dict(vocab_size=96, context_length=20, image_size=32, patch_size=8, channels=3)
TEXT = dict(text_d_model=32, text_n_layers=2, text_n_heads=4, text_d_ff=80)
VISION = dict(vision_d_model=48, vision_n_layers=3, vision_n_heads=6, vision_d_ff=96)
SIGLIP = dict(
    loss="sigmoid", tower_activation="gelu_tanh", text_causal=False, class_token=False,
    patch_bias=True, pre_norm=False, image_pool="attention", image_proj=False,
    text_proj_bias=True, embed_dim=48, tower_norm_eps=1e-6,
)  # fmt: skip

NAMES = (
    (r"^text_model\.final_layer_norm", "text.norm"),
    (r"^text_model\.head", "text_proj"),
    (r"^text_model\.", "text."),
    (r"^vision_model\.pre_layrnorm", "image.pre_norm"),
    (r"^vision_model\.post_layernorm", "image_norm"),
    (r"^vision_model\.head\.attention\.out_proj", "image_pool.attn.o_proj"),
    (r"^vision_model\.head\.attention\.", "image_pool.attn."),
    (r"^vision_model\.head\.layernorm", "image_pool.norm"),
    (r"^vision_model\.head\.", "image_pool."),
    (r"^vision_model\.", "image."),
    (r"embeddings\.token_embedding", "embed"),
    (r"embeddings\.position_embedding", "pos_embed"),
    (r"embeddings\.patch_embedding", "patch_embed"),
    (r"embeddings\.class_embedding", "class_token"),
    (r"encoder\.layers", "blocks"),
    (r"self_attn\.out_proj", "attn.o_proj"),
    (r"self_attn", "attn"),
    (r"layer_norm1", "attn_norm"),
    (r"layer_norm2", "mlp_norm"),
    (r"mlp\.fc1", "mlp.up_proj"),
    (r"mlp\.fc2", "mlp.down_proj"),
    (r"^text_projection", "text_proj"),
    (r"^visual_projection", "image_proj"),
)


def clip():
    """The library's CLIP; token 95 ends a text."""
    common = dict(hidden_act="quick_gelu", projection_dim=24)
    return transformers.CLIPModel(
        transformers.CLIPConfig(
            text_config=dict(vocab_size=96, hidden_size=32, intermediate_size=80,
                             num_hidden_layers=2, num_attention_heads=4, eos_token_id=95,
                             bos_token_id=94, max_position_embeddings=20, **common),
            vision_config=dict(hidden_size=48, intermediate_size=96, num_hidden_layers=3,
                               num_attention_heads=6, image_size=32, patch_size=8, **common),
            projection_dim=24,
        )
    )  # fmt: skip


def siglip():
    """The library's SigLIP, which reads the last token of a text."""
    return transformers.SiglipModel(
        transformers.SiglipConfig(
            text_config=dict(vocab_size=96, hidden_size=32, intermediate_size=80,
                             num_hidden_layers=2, num_attention_heads=4, projection_size=48,
                             max_position_embeddings=20),
            vision_config=dict(hidden_size=48, intermediate_size=96, num_hidden_layers=3,
                               num_attention_heads=6, image_size=32, patch_size=8),
        )
    )  # fmt: skip


TWINS = {"clip": (clip, dict(embed_dim=24)), "siglip": (siglip, SIGLIP)}


def translated(state):
    """The library's tensors in our names and shapes; fused projections cut in three."""
    ours = {}
    for name, tensor in state.items():
        if name.endswith("position_ids"):
            continue
        for pattern, replacement in NAMES:
            name = re.sub(pattern, replacement, name)
        if name.endswith(("in_proj_weight", "in_proj_bias")):
            stem, kind = name.rsplit("in_proj_", 1)
            for part_name, piece in zip("qkv", tensor.chunk(3), strict=True):
                ours[f"{stem}{part_name}_proj.{kind}"] = piece.clone()
        else:
            ours[name] = tensor.reshape(1) if name.startswith("logit") else tensor
    return ours


@pytest.fixture(scope="module", params=[(t, f) for t in TWINS for f in ("parts", "generated")],
                ids="-".join)  # fmt: skip
def pair(request):
    """The library's model and ours with the same random weights."""
    name, form = request.param
    build, options = TWINS[name]
    theirs = build().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = parameter.size(-1) ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(noise * scale + (parameter if parameter.dim() == 1 else 0))
    config = config_of(**SIZE, **TEXT, **VISION, **options)
    code = part("dual_encoder") if form == "parts" else generated(config)
    ours = code.build_model(config).eval()
    ours.load_state_dict(translated(theirs.state_dict()))
    return name, theirs, ours


def generated(config):
    """Generated source under the switches of `config`, whose names are not all dimensions."""
    config.activation, config.text_pool = config.tower_activation, "end"
    return generated_package("dual_encoder", config)


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(90, (5, 20), generator=generator)
    lengths = torch.tensor([4, 9, 19, 1, 12])
    for row, length in enumerate(lengths):
        tokens[row, length:] = 95
    images = torch.randn(5, 3, 32, 32, generator=generator)
    return {"tokens": tokens, "ends": lengths, "images": images}


@torch.inference_mode()
def test_similarities_and_loss_equal_those_of_the_library(pair, batch):
    name, theirs, ours = pair
    if name == "siglip":
        batch = batch | {"ends": torch.full((5,), 19)}
    expected = theirs(input_ids=batch["tokens"], pixel_values=batch["images"], return_loss=True)
    assert expected.logits_per_image.std() > 0.05
    torch.testing.assert_close(ours(batch), expected.logits_per_image, atol=1e-4, rtol=0)
    torch.testing.assert_close(ours.loss(batch), expected.loss, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_what_follows_the_end_of_a_causal_text_changes_nothing(pair, batch):
    name, _, ours = pair
    changed = batch["tokens"].clone()
    changed[0, 5:] = 7
    before = ours.embed_text(batch["tokens"], batch["ends"])
    after = ours.embed_text(changed, batch["ends"])
    assert torch.allclose(before[0], after[0], atol=1e-6) == (name == "clip")
