"""The hybrid of attention and state-space layers computes what Jamba in `transformers` computes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from metagen.synth.topologies.hybrid_lm import FIXED  # noqa: E402

from .packages import config_of, generated_package, part  # noqa: E402

SIZES = {"vocab_size": 99, "d_model": 32, "n_layers": 5, "n_heads": 4, "n_kv_heads": 2,
         "head_dim": 8, "d_ff": 48, "d_inner": 64, "d_state": 8, "d_conv": 4, "dt_rank": 5,
         "attn_layer_period": 3, "attn_layer_offset": 1, "dt_b_c_norms": True, "norm_eps": 1e-6,
         "norm_topk": False, "tied": False, "context_length": 128, "pos": "none"}  # fmt: skip
SIZES |= {k: v for k, v in FIXED.items() if k != "scans"}
PAIRS = {
    "dense": SIZES | {"n_experts": 0, "moe": False},
    "experts": SIZES | {"n_experts": 4, "experts_per_token": 2, "moe": True},
    "biases, tied": SIZES | {"n_experts": 0, "moe": False, "proj_bias": True, "conv_bias": False,
                             "tied": True},
}  # fmt: skip
RENAMED = {
    "model.embed_tokens": "embed", "model.final_layernorm": "norm", "model.layers": "blocks",
    "pre_ff_layernorm": "mlp_norm", "input_layernorm": "norm", "self_attn": "attn",
    "feed_forward": "mlp", ".conv1d.": ".conv.", "out_proj": "o_proj", "_layernorm.": "_norm.",
}  # fmt: skip


def library(sizes):
    """The library's model with random weights everywhere."""
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
    model = transformers.JambaForCausalLM(config)
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
    code = part("decoder_lm") if form == "parts" else generated_package("hybrid_lm", config)
    ours = code.build_model(config)
    ours.load_state_dict(renamed(theirs.state_dict()))
    return theirs, ours.eval()


def tokens_of(length, batch_size=2):
    generator = torch.Generator().manual_seed(length)
    return torch.randint(99, (batch_size, length), generator=generator)


@pytest.mark.parametrize("length", [1, 40])
@torch.inference_mode()
def test_logits_equal_those_of_the_library(pair, length):
    theirs, ours = pair
    expected = theirs(tokens_of(length)).logits
    assert expected.std() > 0.3
    torch.testing.assert_close(ours(tokens_of(length)), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("pieces", [[60], [1] * 60, [5, 1, 1, 9, 8, 36]], ids=len)
@torch.inference_mode()
def test_cached_and_uncached_logits_agree(pair, pieces):
    _, ours = pair
    tokens = tokens_of(60)
    cache = ours.new_cache(2, 60)
    parts = [ours(piece, cache) for piece in tokens.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), ours(tokens), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_generation_equals_that_of_the_library(pair):
    theirs, ours = pair
    prompt = tokens_of(9, batch_size=1)
    tokens = prompt
    for _ in range(12):
        scores = theirs(tokens).logits[:, -1]
        tokens = torch.cat((tokens, scores.argmax(dim=-1, keepdim=True)), dim=1)
    assert torch.equal(ours.generate(prompt, 12, temperature=0), tokens)


def test_experts_are_evened_out_in_training_alone():
    model = part("decoder_lm").build_model(config_of(**PAIRS["experts"]))
    batch = {"tokens": tokens_of(20)}
    trained = model.loss(batch)
    assert trained > model.eval().loss(batch)
