"""Models with state-space layers compute what `transformers` computes; scans what they define."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from metagen.synth.topologies.hybrid_lm import FIXED  # noqa: E402

from .packages import config_of, generated_package, part  # noqa: E402

MAMBA = {"vocab_size": 99, "d_model": 32, "n_layers": 3, "d_inner": 64, "d_state": 8, "d_conv": 4,
         "dt_rank": 5}  # fmt: skip
MAMBA2 = {"vocab_size": 99, "d_model": 32, "n_layers": 3, "d_inner": 64, "d_state": 12,
          "d_conv": 4, "n_heads": 8, "n_groups": 2, "ssm": "mamba2"}  # fmt: skip
HYBRID = {"vocab_size": 99, "d_model": 32, "n_layers": 5, "n_heads": 4, "n_kv_heads": 2,
         "head_dim": 8, "d_ff": 48, "d_inner": 64, "d_state": 8, "d_conv": 4, "dt_rank": 5,
         "attn_layer_period": 3, "attn_layer_offset": 1, "dt_b_c_norms": True, "norm_eps": 1e-6,
         "norm_topk": False, "tied": False, "context_length": 128, "pos": "none"}  # fmt: skip
HYBRID |= {k: v for k, v in FIXED.items() if k != "scans"}

PAIRS = {
    "mamba": MAMBA,
    "mamba, biases": MAMBA | {"proj_bias": True, "conv_bias": False},
    "mamba, untied": MAMBA | {"tied": False, "d_conv": 3},
    "mamba2": MAMBA2,
    "mamba2, one group, biases": MAMBA2 | {"n_groups": 1, "proj_bias": True},
    "hybrid": HYBRID | {"n_experts": 0, "moe": False},
    "hybrid, experts": HYBRID | {"n_experts": 4, "experts_per_token": 2, "moe": True},
    "hybrid, biases, tied": HYBRID | {"n_experts": 0, "moe": False, "proj_bias": True,
                                      "conv_bias": False, "tied": True},
}  # fmt: skip
RENAMED = {
    "backbone.embeddings": "embed", "backbone.norm_f": "norm", "backbone.layers": "blocks",
    "model.embed_tokens": "embed", "model.final_layernorm": "norm", "model.layers": "blocks",
    "pre_ff_layernorm": "mlp_norm", "input_layernorm": "norm", "self_attn": "attn",
    "feed_forward": "mlp", ".conv1d.": ".conv.", "out_proj": "o_proj", "_layernorm.": "_norm.",
}  # fmt: skip


def mamba(sizes):
    """The library's Mamba or Mamba-2."""
    shared = dict(
        vocab_size=sizes["vocab_size"],
        hidden_size=sizes["d_model"],
        num_hidden_layers=sizes["n_layers"],
        state_size=sizes["d_state"],
        conv_kernel=sizes["d_conv"],
        expand=sizes["d_inner"] // sizes["d_model"],
        use_conv_bias=sizes.get("conv_bias", True),
        use_bias=sizes.get("proj_bias", False),
        layer_norm_epsilon=1e-5,
        residual_in_fp32=False,
        tie_word_embeddings=sizes.get("tied", True),
    )
    if sizes.get("ssm") == "mamba2":
        config = transformers.Mamba2Config(
            num_heads=sizes["n_heads"],
            head_dim=sizes["d_inner"] // sizes["n_heads"],
            n_groups=sizes["n_groups"],
            chunk_size=16,
            **shared,
        )
        return transformers.Mamba2ForCausalLM(config)
    config = transformers.MambaConfig(time_step_rank=sizes["dt_rank"], **shared)
    return transformers.MambaForCausalLM(config)


def jamba(sizes):
    """The library's Jamba."""
    config = transformers.JambaConfig(
        vocab_size=sizes["vocab_size"],
        hidden_size=sizes["d_model"],
        intermediate_size=sizes["d_ff"],
        num_hidden_layers=sizes["n_layers"],
        num_attention_heads=sizes["n_heads"],
        num_key_value_heads=sizes["n_kv_heads"],
        num_experts=sizes["n_experts"] or 1,
        num_experts_per_tok=sizes.get("experts_per_token", 1),
        expert_layer_period=2,
        expert_layer_offset=1,
        attn_layer_period=sizes["attn_layer_period"],
        attn_layer_offset=sizes["attn_layer_offset"],
        mamba_d_state=sizes["d_state"],
        mamba_d_conv=sizes["d_conv"],
        mamba_expand=sizes["d_inner"] // sizes["d_model"],
        mamba_dt_rank=sizes["dt_rank"],
        mamba_conv_bias=sizes.get("conv_bias", True),
        mamba_proj_bias=sizes.get("proj_bias", False),
        tie_word_embeddings=sizes["tied"],
    )
    config._attn_implementation = "eager"
    return transformers.JambaForCausalLM(config)


def library(sizes):
    """The library's model with random weights everywhere."""
    model = jamba(sizes) if "attn_layer_period" in sizes else mamba(sizes)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = parameter.size(-1) ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(noise * scale + (parameter if parameter.dim() == 1 else 0))
    return model.eval()


def renamed(state):
    """The library's names as ours, its fused experts one by one."""
    ours = {}
    for name, tensor in state.items():
        for theirs, mine in RENAMED.items():
            name = name.replace(theirs, mine)
        if ".experts." not in name:
            ours[name] = tensor
            continue
        home, _, fused = name.rpartition(".")
        for i, weight in enumerate(tensor):
            if fused == "gate_up_proj":
                gate, up = weight.chunk(2)
                ours |= {f"{home}.{i}.gate_proj.weight": gate, f"{home}.{i}.up_proj.weight": up}
            else:
                ours[f"{home}.{i}.down_proj.weight"] = weight
    return ours


@pytest.fixture(scope="module", params=["parts", "generated"])
def form(request):
    return request.param


@pytest.fixture(scope="module", params=PAIRS)
def pair(request, form):
    """A library's model and ours with the same weights."""
    sizes = PAIRS[request.param]
    theirs = library(sizes)
    config = config_of(**sizes)
    hybrid = "attn_layer_period" in sizes
    if form == "parts":
        code = part("decoder_lm" if hybrid else "mamba_lm")
    else:
        code = generated_package("hybrid_lm" if hybrid else "mamba_lm", config)
    ours = code.build_model(config)
    ours.load_state_dict(renamed(theirs.state_dict()))
    return theirs, ours.eval()


def tokens_of(length, batch_size=2):
    generator = torch.Generator().manual_seed(length)
    return torch.randint(99, (batch_size, length), generator=generator)


@pytest.mark.parametrize("length", [1, 40, 100])
@torch.inference_mode()
def test_logits_equal_those_of_the_library(pair, length):
    theirs, ours = pair
    expected = theirs(tokens_of(length)).logits
    assert expected.std() > 0.3
    torch.testing.assert_close(ours(tokens_of(length)), expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_a_token_changes_no_earlier_logits(pair):
    _, ours = pair
    tokens = tokens_of(24)
    changed = tokens.clone()
    changed[:, 13] = (changed[:, 13] + 1) % 99
    before, after = ours(tokens), ours(changed)
    torch.testing.assert_close(before[:, :13], after[:, :13], atol=1e-6, rtol=0)
    assert (before[:, 13] != after[:, 13]).any()


@pytest.mark.parametrize("pieces", [[90], [1] * 90, [5, 1, 1, 9, 8, 66]], ids=len)
@torch.inference_mode()
def test_cached_and_uncached_logits_agree(pair, pieces):
    _, ours = pair
    tokens = tokens_of(90)
    cache = ours.new_cache(2, 90)
    parts = [ours(piece, cache) for piece in tokens.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), ours(tokens), atol=1e-4, rtol=0)
    assert cache.seen == 90


@torch.inference_mode()
def test_generation_equals_that_of_the_library(pair):
    theirs, ours = pair
    prompt = tokens_of(9, batch_size=1)
    tokens = prompt
    for _ in range(12):
        scores = theirs(tokens).logits[:, -1]
        tokens = torch.cat((tokens, scores.argmax(dim=-1, keepdim=True)), dim=1)
    assert torch.equal(ours.generate(prompt, 12, temperature=0), tokens)


def drawn(*shapes, seed):
    """Tensors that require gradients; the second is positive and the third negative."""
    generator = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(shape, generator=generator, dtype=torch.float32) for shape in shapes]
    tensors[1], tensors[2] = tensors[1].abs() * 0.3, -tensors[2].abs()
    return [t.requires_grad_() for t in tensors]


def stepwise_mamba(x, dt, rate, b, c, h):
    """The definition, token by token."""
    outputs = []
    for t in range(x.size(1)):
        h = (dt[:, t, :, None] * rate).exp() * h + (dt[:, t] * x[:, t])[..., None] * b[:, t, None]
        outputs.append((h * c[:, t, None]).sum(-1))
    return torch.stack(outputs, 1), h


def stepwise_mamba2(x, dt, rate, b, c, h):
    """The definition, token by token."""
    repeats = x.size(2) // b.size(2)
    b, c = b.repeat_interleave(repeats, 2), c.repeat_interleave(repeats, 2)
    outputs = []
    for t in range(x.size(1)):
        added = (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, :, None]
        h = (dt[:, t] * rate).exp()[..., None, None] * h + added
        outputs.append((h * c[:, t, :, None]).sum(-1))
    return torch.stack(outputs, 1), h


@pytest.mark.parametrize("length", [1, 2, 7, 16, 65, 130])
@pytest.mark.parametrize("kind", ["mamba", "mamba2"])
def test_a_scan_is_its_definition_forward_and_backward(kind, length):
    if kind == "mamba":
        shapes = ((2, length, 6), (2, length, 6), (6, 4), (2, length, 4), (2, length, 4), (2, 6, 4))
        chunked, stepwise = part("selective_scan").selective_scan, stepwise_mamba
    else:
        shapes = ((2, length, 4, 3), (2, length, 4), (4,), (2, length, 2, 5), (2, length, 2, 5),
                  (2, 4, 3, 5))  # fmt: skip
        chunked, stepwise = part("ssd").state_space_duality, stepwise_mamba2
    inputs = drawn(*shapes, seed=length)
    results = [scan(*inputs) for scan in (chunked, stepwise)]
    weights = [torch.linspace(-1, 1, r.numel()).view_as(r) for r in results[0]]
    gradients = []
    for outputs in results:
        total = sum((w * o).sum() for w, o in zip(weights, outputs, strict=True))
        gradients.append(torch.autograd.grad(total, inputs))
    torch.testing.assert_close(results[0], results[1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-3, rtol=1e-3)


def test_a_fast_decay_neither_overflows_nor_loses_gradients():
    for kind, shapes in {
        "selective_scan": ((1, 200, 2), (1, 200, 2), (2, 3), (1, 200, 3), (1, 200, 3), (1, 2, 3)),
        "ssd": ((1, 200, 2, 2), (1, 200, 2), (2,), (1, 200, 1, 3), (1, 200, 1, 3), (1, 2, 2, 3)),
    }.items():
        inputs = drawn(*shapes, seed=0)
        with torch.no_grad():
            inputs[2].mul_(500)
        scan = getattr(part(kind), "state_space_duality" if kind == "ssd" else kind)
        y, state = scan(*inputs)
        (y.sum() + state.sum()).backward()
        assert all(torch.isfinite(t.grad).all() for t in inputs)


def test_first_step_sizes_lie_in_their_range():
    model = part("mamba_lm").build_model(config_of(**MAMBA))
    mixer = model.blocks[0].mixer
    steps = torch.nn.functional.softplus(mixer.dt_proj.bias)
    assert 1e-3 <= steps.min() and steps.max() <= 0.1
    rates = torch.arange(1.0, 9.0)
    torch.testing.assert_close(mixer.A_log.exp(), rates.expand(64, 8))
    bound = 1 / math.sqrt(MAMBA["d_conv"])
    assert mixer.conv.weight.abs().max() <= bound


def test_experts_are_evened_out_in_training_alone():
    model = part("decoder_lm").build_model(config_of(**PAIRS["hybrid, experts"]))
    batch = {"tokens": tokens_of(20)}
    trained = model.loss(batch)
    assert trained > model.eval().loss(batch)
