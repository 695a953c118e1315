"""LLaVA: the vision-language model computes what its `transformers` twin computes, and caches."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .packages import config_of, generated_package, part  # noqa: E402

PATCHES = 16
SIZES = dict(
    vocab_size=96, d_model=48, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=12, d_ff=80,
    context_length=64, rope_theta=500.0, tied=False, norm_eps=1e-6, image_size=32, patch_size=8,
    channels=3, vision_d_model=32, vision_n_layers=3, vision_n_heads=4, vision_d_ff=64,
    spare_layers=1,
)  # fmt: skip
NAMES = (
    (r"^model\.vision_tower\.(vision_model\.)?", "vision."),
    (r"^model\.multi_modal_projector\.linear_1", "projector.up_proj"),
    (r"^model\.multi_modal_projector\.linear_2", "projector.down_proj"),
    (r"^model\.language_model\.embed_tokens", "embed"),
    (r"^model\.language_model\.", ""),
    (r"embeddings\.position_embedding", "pos_embed"),
    (r"embeddings\.patch_embedding", "patch_embed"),
    (r"embeddings\.class_embedding", "class_token"),
    (r"encoder\.layers", "blocks"),
    (r"pre_layrnorm", "pre_norm"),
    (r"post_layernorm", "norm"),
    (r"vision(.*)self_attn\.out_proj", r"vision\1attn.o_proj"),
    (r"self_attn", "attn"),
    (r"layer_norm1|input_layernorm", "attn_norm"),
    (r"layer_norm2|post_attention_layernorm", "mlp_norm"),
    (r"mlp\.fc1", "mlp.up_proj"),
    (r"mlp\.fc2", "mlp.down_proj"),
)


def llava():
    """The library's LLaVA; token 95 stands for a patch."""
    vision = transformers.CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        image_size=32, patch_size=8, hidden_act="quick_gelu",
    )  # fmt: skip
    text = transformers.LlamaConfig(
        vocab_size=96, hidden_size=48, intermediate_size=80, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=12, max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0}, rms_norm_eps=1e-6,
        tie_word_embeddings=False, pad_token_id=None,
    )  # fmt: skip
    config = transformers.LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=95, image_seq_length=PATCHES,
        vision_feature_layer=-2, tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.LlavaForConditionalGeneration(config).eval()


@pytest.fixture(scope="module", params=["parts", "generated"])
def pair(request):
    """The library's model and ours with the same random weights."""
    theirs = llava()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = parameter.size(-1) ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(noise * scale + (parameter if parameter.dim() == 1 else 0))
    config = config_of(**SIZES)
    code = part("vlm") if request.param == "parts" else generated(config)
    ours = code.build_model(config).eval()
    state = {}
    for name, tensor in theirs.state_dict().items():
        for pattern, replacement in NAMES:
            name = re.sub(pattern, replacement, name)
        if not name.endswith("position_ids"):
            state[name] = tensor
    ours.load_state_dict(state)
    return theirs, ours


def generated(config):
    """Generated source under the switches of `config`, whose names are not all dimensions."""
    from metagen.synth.topologies.vlm import _CLOSED

    for name, value in _CLOSED.items():
        setattr(config, name, value)
    config.vision_activation, config.feature_layer = config.tower_activation, -2
    return generated_package("vlm", config)


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(90, (3, 14), generator=generator)
    return torch.randn(3, 3, 32, 32, generator=generator), tokens


@torch.inference_mode()
def test_logits_equal_those_of_the_library(pair, batch):
    theirs, ours = pair
    images, tokens = batch
    patches = torch.full((3, PATCHES), 95)
    ids = torch.cat((patches, tokens), dim=1)
    expected = theirs(input_ids=ids, pixel_values=images).logits[:, PATCHES:]
    assert expected.std() > 0.3
    torch.testing.assert_close(ours(images, tokens), expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_generation_with_a_cache_equals_that_without(pair, batch):
    _, ours = pair
    images, tokens = batch
    expected = tokens[:, :5]
    for _ in range(8):
        likeliest = ours(images, expected)[:, -1].argmax(dim=-1, keepdim=True)
        expected = torch.cat((expected, likeliest), dim=1)
    assert torch.equal(ours.generate(images, tokens[:, :5], 8), expected)


@torch.inference_mode()
def test_cached_and_uncached_logits_agree(pair, batch):
    _, ours = pair
    images, tokens = batch
    x = torch.cat((ours.look(images), ours.embed(tokens)), dim=1)
    for cuts in ([], [PATCHES], [3, 20, 21], range(1, x.size(1))):
        cache = ours.new_cache(3, x.size(1))
        pieces = [ours.lm_head(ours.hidden(p, cache)) for p in x.tensor_split(list(cuts), dim=1)]
        cached = torch.cat(pieces, dim=1)[:, PATCHES:]
        torch.testing.assert_close(cached, ours(images, tokens), atol=1e-4, rtol=0)
