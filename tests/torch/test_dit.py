"""Diffusion transformers compute what their `diffusers` twins compute."""

from __future__ import annotations

import itertools
import re

import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from metagen.synth.codegen import network_sources  # noqa: E402
from metagen.synth.solver import Frame  # noqa: E402
from metagen.synth.topologies import TOPOLOGIES  # noqa: E402

from .packages import PARTS, config_of, module, part  # noqa: E402

SIDE = 8
_names = itertools.count()
DIT = dict(
    condition="class", num_classes=5, d_model=48, n_layers=3, n_heads=4, d_ff=192, patch_size=2,
    time_features=256,
)  # fmt: skip
MMDIT = DIT | dict(
    condition="text", text_d_model=40, pooled_dim=24, pooled_cut=True, dual_layers=0, dual=False,
    stream_norm="none", largest_grid=4, spare_positions=False, prompt_length=7,
)  # fmt: skip
MMDITS = {
    "SD3": (MMDIT, {}),
    "SD3, cropped positions": (
        MMDIT | dict(largest_grid=12, spare_positions=True),
        dict(pos_embed_max_size=12),
    ),
    "SD3.5": (
        MMDIT
        | dict(stream_norm="rmsnorm", dual=True, dual_layers=2)
        | dict(largest_grid=9, spare_positions=True),
        dict(qk_norm="rms_norm", dual_attention_layers=(0, 1), pos_embed_max_size=9),
    ),
}

DIT_NAMES = (
    (r"^pos_embed\.proj", "patch_embed.proj"),
    (r"^proj_out_1", "final.modulation"),
    (r"^proj_out_2", "final.proj"),
    (r"^transformer_blocks", "blocks"),
    (r"norm1\.linear", "modulation"),
    (r"attn1\.to_(q|k|v)", r"attn.\1_proj"),
    (r"attn1\.to_out\.0", "attn.o_proj"),
    (r"ff\.net\.0\.proj", "mlp.up_proj"),
    (r"ff\.net\.2", "mlp.down_proj"),
    (r"^blocks\.0\.norm1\.emb\.timestep_embedder\.linear_1", "time_embed.up_proj"),
    (r"^blocks\.0\.norm1\.emb\.timestep_embedder\.linear_2", "time_embed.down_proj"),
    (r"^blocks\.0\.norm1\.emb\.class_embedder\.embedding_table", "label_embed"),
)
MMDIT_NAMES = (
    (r"^pos_embed\.proj", "patch_embed.proj"),
    (r"^pos_embed\.pos_embed", "pos_embed"),
    (r"^norm_out\.linear", "final.modulation"),
    (r"^proj_out", "final.proj"),
    (r"^context_embedder", "text_proj"),
    (r"^time_text_embed\.timestep_embedder\.linear_1", "time_embed.up_proj"),
    (r"^time_text_embed\.timestep_embedder\.linear_2", "time_embed.down_proj"),
    (r"^time_text_embed\.text_embedder\.linear_1", "pooled_embed.up_proj"),
    (r"^time_text_embed\.text_embedder\.linear_2", "pooled_embed.down_proj"),
    (r"^transformer_blocks", "blocks"),
    (r"norm1\.linear", "image.modulation"),
    (r"norm1_context\.linear", "text.modulation"),
    (r"attn\.to_(q|k|v)\b", r"image.qkv.\1_proj"),
    (r"attn\.add_(q|k|v)_proj", r"text.qkv.\1_proj"),
    (r"attn\.norm_added_(q|k)", r"text.qkv.\1_norm"),
    (r"attn\.norm_(q|k)", r"image.qkv.\1_norm"),
    (r"attn\.to_out\.0", "image.o_proj"),
    (r"attn\.to_add_out", "text.o_proj"),
    (r"attn2\.to_(q|k|v)\b", r"image.own_attn.qkv.\1_proj"),
    (r"attn2\.norm_(q|k)", r"image.own_attn.qkv.\1_norm"),
    (r"attn2\.to_out\.0", "image.own_attn.o_proj"),
    (r"ff_context\.net\.0\.proj", "text.mlp.up_proj"),
    (r"ff_context\.net\.2", "text.mlp.down_proj"),
    (r"ff\.net\.0\.proj", "image.mlp.up_proj"),
    (r"ff\.net\.2", "image.mlp.down_proj"),
)


@pytest.fixture(params=["parts", "generated"])
def network(request, tmp_path):
    """`(name, sizes) -> module`: the part as it stands, or the file of a release."""

    def load(name, sizes):
        if request.param == "parts":
            return part(name)
        topology = TOPOLOGIES[name]
        pins = {k: v for k, v in sizes.items() if k in topology.table}
        pins |= {"space": "pixel", "image_size": SIDE, "channels": 4, "text_d_model": 40}
        dims = topology.base(1e6, Frame({}, pins))
        sources = network_sources(topology, topology.switches(dims))
        sources["config"] = (PARTS / "config.py").read_text(encoding="utf-8")
        for file, source in sources.items():
            (tmp_path / f"{file}.py").write_text(source, encoding="utf-8")
        return module(f"generated_{name}_{next(_names)}", tmp_path, name)

    return load


def fill(model):
    """Random weights that leave no layer idle."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            many = parameter.dim() > 1
            parameter.copy_(noise * parameter[0].numel() ** -0.5 if many else 1 + 0.2 * noise)
    return model.eval()


def copied(theirs, names):
    """Their state dict under our names."""
    state = {}
    for name, tensor in theirs.state_dict().items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        state[name] = tensor
    return state


@torch.inference_mode()
def test_dit_equals_the_library(network):
    theirs = diffusers.DiTTransformer2DModel(
        num_attention_heads=4, attention_head_dim=12, in_channels=4, out_channels=8, num_layers=3,
        sample_size=SIDE, patch_size=2, num_embeds_ada_norm=5, dropout=0.0,
    )  # fmt: skip
    fill(theirs)
    shared = theirs.transformer_blocks[0].norm1.emb
    for block in theirs.transformer_blocks:  # the original embeds times and labels once
        block.norm1.emb.load_state_dict(shared.state_dict())
        block.norm1.emb.time_proj.downscale_freq_shift = 0  # and starts its frequencies at 1
    ours = network("dit", DIT).Dit(config_of(**DIT), 4, 8, SIDE).eval()
    state = copied(theirs, DIT_NAMES)
    state = {name: tensor for name, tensor in state.items() if ".emb." not in name}
    missing, unknown = ours.load_state_dict(state, strict=False)
    assert (missing, unknown) == (["pos_embed"], [])
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(3, 4, SIDE, SIDE, generator=generator)
    times, labels = torch.tensor([0.0, 17.0, 999.0]), torch.tensor([5, 0, 3])
    expected = theirs(noisy, timestep=times, class_labels=labels).sample
    assert expected.std() > 0.3
    torch.testing.assert_close(ours(noisy, times, labels), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", MMDITS)
@torch.inference_mode()
def test_mmdit_equals_the_library(network, name):
    sizes, more = MMDITS[name]
    more = {"pos_embed_max_size": 4, "dual_attention_layers": (), "qk_norm": None} | more
    theirs = diffusers.SD3Transformer2DModel(
        sample_size=SIDE, patch_size=2, in_channels=4, out_channels=4, num_layers=3,
        attention_head_dim=12, num_attention_heads=4, joint_attention_dim=40,
        caption_projection_dim=48, pooled_projection_dim=24, **more,
    )  # fmt: skip
    fill(theirs)
    ours = network("mmdit", sizes).Mmdit(config_of(**sizes), 4, 4, SIDE).eval()
    positions = ours.pos_embed.clone()
    state = copied(theirs, MMDIT_NAMES)
    for last in ("final.modulation", "blocks.2.text.modulation"):  # theirs: scale, then shift
        for kind in ("weight", "bias"):
            state[f"{last}.{kind}"] = state[f"{last}.{kind}"].roll(48, 0)
    ours.load_state_dict(state)
    torch.testing.assert_close(ours.pos_embed, positions, atol=1e-5, rtol=0)
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(3, 4, SIDE, SIDE, generator=generator)
    states = torch.randn(3, 7, 40, generator=generator)
    pooled = torch.randn(3, 40, generator=generator)
    times = torch.tensor([3.0, 250.5, 1000.0])
    expected = theirs(
        noisy, encoder_hidden_states=states, pooled_projections=pooled[:, :24], timestep=times
    ).sample
    assert expected.std() > 0.3
    got = ours(noisy, times, states, pooled)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_new_model_predicts_zeros_and_passes_its_input_on():
    """adaLN-zero: every block begins as the identity (Peebles and Xie 2023, section 3.2)."""
    for name, sizes in (("Dit", DIT), ("Mmdit", MMDIT)):
        model = getattr(part(name.lower()), name)(config_of(**sizes), 4, 4, SIDE)
        generator = torch.Generator().manual_seed(0)
        for weight_name, weight in (*model.named_buffers(), *model.named_parameters()):
            model.init_weight(weight_name, weight, generator)
        given = [torch.tensor([1, 2])]
        if name == "Mmdit":
            given = [torch.randn(2, 7, 40), torch.randn(2, 40)]
        noisy, times = torch.randn(2, 4, SIDE, SIDE), torch.tensor([5.0, 500.0])
        assert not model(noisy, times, *given).any()
        x, c = torch.randn(2, 16, 48), torch.randn(2, 48)
        if name == "Mmdit":
            text = torch.randn(2, 7, 48)
            assert all(map(torch.equal, model.blocks[0](x, text, c), (x, text)))
        else:
            assert torch.equal(model.blocks[0](x, c), x)


@torch.inference_mode()
def test_context_and_mask_of_a_block_do_what_they_say():
    code = part("dit_block")
    block = fill(code.CrossDitBlock(32, 4, 64, 12))
    generator = torch.Generator().manual_seed(0)
    x, c = torch.randn(2, 6, 32, generator=generator), torch.randn(2, 32, generator=generator)
    context = torch.randn(2, 5, 12, generator=generator)
    causal = torch.ones(6, 6, dtype=torch.bool).tril()
    whole = block(x, c, context, causal)
    torch.testing.assert_close(block(x[:, :4], c, context, causal[:4, :4]), whole[:, :4])
    assert not torch.allclose(block(x, c, context), whole, atol=1e-2)
    assert not torch.allclose(block(x, c, context.flip(2), causal), whole, atol=1e-2)
    torch.testing.assert_close(block(x, c, context.flip(1), causal), whole)
    each = c[:, None].expand(-1, 6, -1)  # a condition for every position
    torch.testing.assert_close(block(x, each, context, causal), whole)


def test_the_variational_bound_is_the_divergence_of_two_steps():
    """Every step's posterior is written out (Nichol and Dhariwal 2021, equations 10 to 15)."""
    code, diffusion = part("learned_variance"), part("diffusion")
    config = config_of(prediction="noise", noise_schedule="linear", train_times=1000)
    generator = torch.Generator().manual_seed(0)
    clean, noise, output, place = torch.randn(
        4, 5, 3, 2, 2, generator=generator, dtype=torch.float64
    )
    times = torch.tensor([0.0, 1.0, 300.0, 750.0, 999.0])
    noisy = diffusion.corrupt(config, clean, noise, times)
    bits = code.step_bits(config, clean, noisy, output, place, times)
    kept = diffusion.signal_power(config, clean.device).double()
    normal = torch.distributions.Normal
    for i, t in enumerate(times.long().tolist()):
        alpha_bar, earlier = kept[t], kept[t - 1] if t else torch.tensor(1.0)
        beta = 1 - alpha_bar / earlier

        def step(start, i=i, alpha_bar=alpha_bar, earlier=earlier, beta=beta):
            return (
                earlier.sqrt() * beta * start
                + (alpha_bar / earlier).sqrt() * (1 - earlier) * noisy[i]
            ) / (1 - alpha_bar)

        said = (noisy[i] - (1 - alpha_bar).sqrt() * output[i]) / alpha_bar.sqrt()
        true = beta * (1 - earlier) / (1 - alpha_bar)
        if t == 0:
            true = (1 - kept[1] / kept[0]) * (1 - kept[0]) / (1 - kept[1])
        share = (place[i] + 1) / 2
        variance = (share * beta.log() + (1 - share) * true.log()).exp()
        model = normal(step(said), variance.sqrt())
        if t == 0:
            expected = -model.log_prob(clean[i])
        else:
            expected = torch.distributions.kl_divergence(normal(step(clean[i]), true.sqrt()), model)
        torch.testing.assert_close(
            bits[i] * torch.tensor(2.0).log(), expected, rtol=2e-3, atol=2e-3
        )


def test_the_bound_teaches_only_the_variance():
    code = part("learned_variance")
    config = config_of(prediction="noise", noise_schedule="linear", train_times=1000)
    clean, noise = torch.randn(2, 3, 2, 4, 4)
    answer = torch.cat((noise, torch.zeros_like(noise)), dim=1).requires_grad_()
    loss = code.hybrid_loss(
        config, lambda x, t: answer, clean, noise, torch.tensor([0.1, 0.5, 0.9])
    )
    loss.backward()
    noise_half, variance_half = answer.grad.chunk(2, dim=1)
    assert not noise_half.any() and variance_half.all()
