"""The autoencoder is the one of `diffusers`; prompts ignore their padding."""

import re

import pytest

torch = pytest.importorskip("torch")

from .packages import config_of, part  # noqa: E402

KL_NAMES = (
    (r"^(en|de)coder\.mid_block\.resnets\.0\.", r"\1coder.middle.first."),
    (r"^(en|de)coder\.mid_block\.resnets\.1\.", r"\1coder.middle.second."),
    (r"^(en|de)coder\.mid_block\.attentions\.0\.", r"\1coder.middle.attn."),
    (r"\.attn\.group_norm\.", ".attn.norm."),
    (r"\.to_([qkv])\.", r".\1_proj."),
    (r"\.to_out\.0\.", ".o_proj."),
    (r"\.conv_norm_out\.", ".norm."),
    (r"\.conv_shortcut\.", ".shortcut."),
)


def renamed(name, layers):
    """A tensor of the library under our name; `layers` are the encoder's blocks of a stage."""
    found = re.match(r"(en|de)coder\.(?:down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name)
    if found:
        side, stage, kind, index, rest = found.groups()
        blocks = layers if side == "en" else layers + 1
        place = int(stage) * (blocks + 1) + (int(index) if kind == "resnets" else blocks)
        name = f"{side}coder.stages.{place}.{rest}"
    for pattern, ours in KL_NAMES:
        name = re.sub(pattern, ours, name)
    return name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ae_quant_conv": False, "ae_post_quant_conv": False, "latent_channels": 6},
        {"ae_mid_attention": False, "ae_layers_per_block": 2, "channels": 1},
        {"ae_channels": (8,), "ae_groups": 2},
        {"ae_channels": (8, 24, 16, 16), "ae_groups": 4},
    ],
    ids=["plain", "no-quant", "no-attention", "one-stage", "four-stages"],
)
@torch.no_grad()
def test_it_encodes_and_decodes_as_the_library_does(changes):
    diffusers = pytest.importorskip("diffusers")
    config = config_of(**{"ae_channels": (8, 16, 24), "ae_groups": 8} | changes)
    stages = len(config.ae_channels)
    torch.manual_seed(0)
    theirs = diffusers.AutoencoderKL(
        in_channels=config.channels,
        out_channels=config.channels,
        down_block_types=("DownEncoderBlock2D",) * stages,
        up_block_types=("UpDecoderBlock2D",) * stages,
        block_out_channels=config.ae_channels,
        layers_per_block=config.ae_layers_per_block,
        latent_channels=config.latent_channels,
        norm_num_groups=config.ae_groups,
        use_quant_conv=config.ae_quant_conv,
        use_post_quant_conv=config.ae_post_quant_conv,
        mid_block_add_attention=config.ae_mid_attention,
    ).eval()
    state = {n: torch.randn_like(t) * 0.1 for n, t in theirs.state_dict().items()}
    theirs.load_state_dict(state)
    ours = part("autoencoder_kl").Autoencoder(config).eval()
    ours.load_state_dict({renamed(n, config.ae_layers_per_block): t for n, t in state.items()})
    images = torch.randn(2, config.channels, 24, 16)
    wanted = theirs.encode(images).latent_dist
    moments = ours.encode(images)
    torch.testing.assert_close(moments, wanted.parameters, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.latents(images), wanted.mode(), atol=1e-4, rtol=1e-4)
    noise = torch.randn_like(wanted.mean)
    drawn = ours.latents(images, noise)
    torch.testing.assert_close(drawn, wanted.mean + wanted.std * noise, atol=1e-4, rtol=1e-4)
    made = theirs.decode(drawn).sample
    torch.testing.assert_close(ours.decode(drawn), made, atol=1e-4, rtol=1e-4)
    missed = part("autoencoder_kl").difference(made, images)
    nats = wanted.kl().sum() / images.numel()
    whole = ours.reconstruction_loss(images, noise) - missed
    torch.testing.assert_close(whole, config.kl_weight * nats, atol=1e-6, rtol=1e-2)


@torch.no_grad()
def test_codes_that_diffuse_have_unit_scale():
    ours = part("autoencoder_kl").Autoencoder(config_of(ae_unit_latents=True))
    codes = ours.latents(torch.randn(3, 3, 32, 32) * 7)
    assert codes.mean((1, 2, 3)).abs().max() < 1e-5
    assert (codes.var((1, 2, 3), correction=0) - 1).abs().max() < 1e-3


@torch.no_grad()
def test_prompts_ignore_their_padding():
    prompts = part("prompt_encoder")
    config = config_of(prompt_length=12)
    model = prompts.PromptEncoder(config).eval()
    end = 256
    tokens = torch.full((3, 12), end)
    tokens[0, :4], tokens[1, :11] = torch.arange(4), torch.arange(11)
    assert prompts.seen_tokens(tokens).sum(1).tolist() == [5, 12, 1]
    states = model(tokens)
    assert states.shape == (3, 12, config.text_d_model)
    short = model(tokens[:1, :5])
    torch.testing.assert_close(states[:1, :5], short, atol=1e-5, rtol=1e-4)
    whole, mean = prompts.pooled(states, tokens), states[0, :5].mean(0)
    torch.testing.assert_close(whole[0], mean, atol=1e-5, rtol=1e-4)
    empty = prompts.without_text(tokens, torch.tensor([True, False, True]))
    assert (empty[0] == end).all() and torch.equal(empty[1], tokens[1])


@torch.no_grad()
def test_a_prompt_block_is_the_library_layer():
    prompts, config = part("prompt_encoder"), config_of()
    width, heads = config.text_d_model, config.text_n_heads
    layer = torch.nn.TransformerEncoderLayer(
        width, heads, config.text_d_ff, 0.0, "gelu", batch_first=True, norm_first=True
    ).eval()
    ours = prompts.PromptBlock(config).eval()
    state = {}
    names = (
        ("self_attn.out_proj", "attn.o_proj"),
        ("linear1", "mlp.up_proj"),
        ("linear2", "mlp.down_proj"),
        ("norm1", "attn_norm"),
        ("norm2", "mlp_norm"),
    )
    theirs = layer.state_dict()
    for kind in ("weight", "bias"):
        state |= {f"{mine}.{kind}": theirs[f"{name}.{kind}"] for name, mine in names}
        parts = theirs[f"self_attn.in_proj_{kind}"].chunk(3)
        state |= {f"attn.{x}_proj.{kind}": t for x, t in zip("qkv", parts, strict=True)}
    ours.load_state_dict(state)
    x, seen = torch.randn(2, 7, width), torch.arange(7) < torch.tensor([[7], [3]])
    wanted = layer(x, src_key_padding_mask=~seen)
    made = ours(x, seen)
    torch.testing.assert_close(made[seen], wanted[seen], atol=1e-4, rtol=1e-4)
