"""The U-Net computes what its `diffusers` twins compute."""

import re

import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from .packages import config_of, part  # noqa: E402

SIDE, TOKENS = 16, 7
SIZES = {
    "channels": 4,
    "image_size": SIDE,
    "space": "pixel",
    "unet_channels": (16, 32, 48),
    "layers_per_block": 2,
    "norm_groups": 8,
    "time_dim": 64,
    "text_d_model": 24,
}
COMMON = {
    "sample_size": SIDE,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (16, 32, 48),
    "layers_per_block": 2,
    "norm_num_groups": 8,
}
TEXT = {
    "cross_attention_dim": 24,
    "attention_head_dim": (2, 4, 6),  # which is what this class calls the number of heads
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
}
OURS = {"condition": "text", "unet_heads": (2, 4, 6), "mid_layers": 1}
CONDITIONED = {
    "Stable Diffusion 1": (TEXT, OURS | {"transformer_layers": (1, 1, 0)}),
    "Stable Diffusion 2": (
        TEXT | {"use_linear_projection": True},
        OURS | {"transformer_layers": (1, 1, 0), "linear_projections": True},
    ),
    "SDXL": (
        TEXT
        | {
            "use_linear_projection": True,
            "transformer_layers_per_block": (1, 2, 3),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        },
        OURS | {"transformer_layers": (0, 2, 3), "mid_layers": 3, "linear_projections": True},
    ),
}
PLAIN = {
    "DDPM": (
        {
            "downsample_padding": 0,
            "freq_shift": 1,
            "flip_sin_to_cos": False,
            "norm_eps": 1e-6,
            "attention_head_dim": None,
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        },
        {
            "condition": "none",
            "padding": "asymmetric",
            "time_order": "sin_cos",
            "norm_eps": 1e-6,
            "unet_heads": (1, 1, 1),
            "transformer_layers": (0, 1, 0),
        },
    ),
    "classes and heads": (
        {
            "attention_head_dim": 8,
            "num_class_embeds": 6,
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        },
        {
            "condition": "class",
            "num_classes": 5,
            "unet_heads": (2, 4, 6),
            "transformer_layers": (0, 1, 1),
        },
    ),
}
NAMES = (
    (r"^time_embedding\.linear_1", "time_embed.up_proj"),
    (r"^time_embedding\.linear_2", "time_embed.down_proj"),
    (r"^add_embedding\.linear_1", "pooled_embed.up_proj"),
    (r"^add_embedding\.linear_2", "pooled_embed.down_proj"),
    (r"^class_embedding", "class_embed"),
    (r"^(down|up)_blocks", r"\1"),
    (r"^mid_block", "mid"),
    (r"^conv_norm_out", "norm_out"),
    (r"\.downsamplers\.0\.conv", ".resample"),
    (r"\.upsamplers\.0\.conv", ".resample"),
    (r"time_emb_proj", "time_proj"),
    (r"conv_shortcut", "shortcut"),
    (r"transformer_blocks", "blocks"),
    (r"(attentions\.\d+)\.group_norm", r"\1.norm"),
    (r"(attentions\.\d+)\.to_(q|k|v)\.", r"\1.attn.\2_proj."),
    (r"(attentions\.\d+)\.to_out\.0", r"\1.attn.o_proj"),
    (r"(blocks\.\d+)\.norm1", r"\1.self_norm"),
    (r"(blocks\.\d+)\.norm2", r"\1.cross_norm"),
    (r"(blocks\.\d+)\.norm3", r"\1.mlp_norm"),
    (r"attn1\.to_out\.0", "self_attn.o_proj"),
    (r"attn2\.to_out\.0", "cross_attn.o_proj"),
    (r"attn1\.to_(q|k|v)", r"self_attn.\1_proj"),
    (r"attn2\.to_(q|k|v)", r"cross_attn.\1_proj"),
    (r"ff\.net\.0\.proj", "mlp.up_proj"),
    (r"ff\.net\.2", "mlp.down_proj"),
)


def renamed(name):
    for pattern, ours in NAMES:
        name = re.sub(pattern, ours, name)
    return name


def twin_of(theirs, sizes):
    """Our U-Net with the weights of theirs, made random where they begin as zeros."""
    config = config_of(**SIZES | sizes)
    ours = part("unet").UNet(config, 4, 4).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    state = {renamed(name): tensor for name, tensor in theirs.state_dict().items()}
    ours.load_state_dict(state)
    return ours


@pytest.mark.parametrize("name", CONDITIONED)
@torch.inference_mode()
def test_the_u_net_that_reads_prompts(name):
    theirs, ours = CONDITIONED[name]
    model = diffusers.UNet2DConditionModel(**COMMON | theirs).eval()
    twin = twin_of(model, ours)
    noisy, times = torch.randn(2, 4, SIDE, SIDE), torch.tensor([3.0, 871.0])
    prompt = torch.randn(2, TOKENS, 24)
    wanted = model(noisy, times, prompt).sample
    found = twin(noisy, times, prompt, prompt.mean(dim=1))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_the_u_net_that_is_told_the_pooled_prompt():
    theirs, ours = CONDITIONED["SDXL"]
    sizes = {"addition_time_embed_dim": 2, "projection_class_embeddings_input_dim": 24}
    model = diffusers.UNet2DConditionModel(
        **COMMON | theirs | sizes, addition_embed_type="text_time"
    ).eval()
    twin = twin_of(model, ours | {"pooled_prompt": True})
    noisy, times = torch.randn(2, 4, SIDE, SIDE), torch.tensor([3.0, 871.0])
    prompt, pooled, ids = torch.randn(2, TOKENS, 24), torch.randn(2, 12), torch.rand(2, 6)
    more = {"text_embeds": pooled, "time_ids": ids}
    wanted = model(noisy, times, prompt, added_cond_kwargs=more).sample
    told = torch.cat((pooled, model.add_time_proj(ids.flatten()).view(2, -1)), dim=1)
    found = twin(noisy, times, prompt, told)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", PLAIN)
@torch.inference_mode()
def test_the_u_net_without_prompts(name):
    theirs, ours = PLAIN[name]
    model = diffusers.UNet2DModel(**COMMON | theirs).eval()
    twin = twin_of(model, ours)
    noisy, times = torch.randn(2, 4, SIDE, SIDE), torch.tensor([3.0, 871.0])
    labels = (torch.tensor([1, 5]),) if "num_class_embeds" in theirs else ()
    wanted = model(noisy, times, *labels).sample
    found = twin(noisy, times, *labels)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_sides_may_be_odd():
    config = config_of(**SIZES | {"condition": "none", "transformer_layers": (0, 1, 1)})
    twin = part("unet").UNet(config, 4, 4)
    assert twin(torch.randn(1, 4, 13, 13), torch.tensor([5.0])).shape == (1, 4, 13, 13)
