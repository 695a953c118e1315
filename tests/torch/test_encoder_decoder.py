"""T5, BART, Marian and Whisper: the same outputs as their library classes with copied weights."""

from __future__ import annotations

import itertools
import re
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from metagen.synth.codegen import network_sources  # noqa: E402
from metagen.synth.topologies import TOPOLOGIES  # noqa: E402

from .packages import PARTS, module, part  # noqa: E402

_names = itertools.count()

SIZE = {"vocab_size": 96, "d_model": 48, "n_layers": 2, "n_decoder_layers": 3, "n_heads": 4,
        "head_dim": 12, "d_ff": 80, "max_pos": 40, "tied": True}  # fmt: skip
T5 = SIZE | {
    "norm": "rmsnorm", "mlp": "plain", "activation": "relu", "pos": "relative", "head_dim": 10,
    "attn_scale": False, "head_scale": True, "rel_buckets": 8, "rel_max_distance": 20,
}  # fmt: skip
T5_V11 = T5 | {"mlp": "gated", "activation": "gelu_new", "tied": False, "head_scale": False}
BART = SIZE | {
    "norm": "layernorm", "norm_eps": 1e-5, "mlp": "plain", "activation": "gelu", "pos": "learned",
    "pos_offset": 2, "pos_rows": 42, "post_norm": True, "final_norm": False, "embed_norm": True,
    "attn_bias": True, "key_bias": True, "mlp_bias": True, "logits_bias": True,
}  # fmt: skip
MARIAN = BART | {"pos": "sinusoidal", "pos_offset": 0, "pos_rows": 40, "embed_norm": False,
                 "embed_scale": True, "activation": "silu"}  # fmt: skip
WHISPER = SIZE | {
    "source": "audio", "norm": "layernorm", "norm_eps": 1e-5, "mlp": "plain", "pos": "learned",
    "activation": "gelu", "pos_rows": 40, "attn_bias": True, "mlp_bias": True, "n_mels": 16,
    "sample_rate": 16_000, "audio_positions": 50,
}  # fmt: skip

T5_NAMES = (
    (r"^shared", "embed"),
    (r"^encoder\.final_layer_norm", "encoder_norm"),
    (r"^decoder\.final_layer_norm", "decoder_norm"),
    (r"^(\w+)\.block\.0\.layer\.0\.SelfAttention\.relative_attention_bias", r"\1_bias"),
    (r"^(\w+)\.block\.", r"\1_blocks."),
    (r"layer\.0\.SelfAttention\.(\w)\.", r"attn.\1_proj."),
    (r"layer\.0\.layer_norm", "attn_norm"),
    (r"layer\.1\.EncDecAttention\.(\w)\.", r"cross.\1_proj."),
    (r"(decoder.*)layer\.1\.layer_norm", r"\1cross_norm"),
    (r"layer\.[12]\.layer_norm", "mlp_norm"),
    (r"layer\.[12]\.DenseReluDense\.wi_0", "mlp.gate_proj"),
    (r"layer\.[12]\.DenseReluDense\.wi(_1)?", "mlp.up_proj"),
    (r"layer\.[12]\.DenseReluDense\.wo", "mlp.down_proj"),
)
BART_NAMES = (
    (r"^final_logits_bias", "logits_bias"),
    (r"^model\.", ""),
    (r"^proj_out", "lm_head"),
    (r"^shared", "embed"),
    (r"^decoder\.embed_tokens", "embed"),
    (r"^encoder\.conv", "conv"),
    (r"^(\w+)\.embed_positions", r"\1_pos_embed"),
    (r"^(\w+)\.layernorm_embedding", r"\1_embed_norm"),
    (r"^(\w+)\.layer_norm", r"\1_norm"),
    (r"^(\w+)\.layers\.", r"\1_blocks."),
    (r"self_attn_layer_norm", "attn_norm"),
    (r"encoder_attn_layer_norm", "cross_norm"),
    (r"final_layer_norm", "mlp_norm"),
    (r"self_attn", "attn"),
    (r"encoder_attn", "cross"),
    (r"out_proj", "o_proj"),
    (r"fc1", "mlp.up_proj"),
    (r"fc2", "mlp.down_proj"),
)


def bart_like(name, dims, **extra):
    """A library model of BART's family at our dimensions."""
    config = getattr(transformers, f"{name}Config")(
        vocab_size=dims["vocab_size"], d_model=dims["d_model"], encoder_layers=dims["n_layers"],
        decoder_layers=dims["n_decoder_layers"], encoder_attention_heads=dims["n_heads"],
        decoder_attention_heads=dims["n_heads"], encoder_ffn_dim=dims["d_ff"],
        decoder_ffn_dim=dims["d_ff"], pad_token_id=0, eos_token_id=2, bos_token_id=1,
        decoder_start_token_id=0, forced_eos_token_id=None, **extra,
    )  # fmt: skip
    ending = "MTModel" if name == "Marian" else "ForConditionalGeneration"
    return getattr(transformers, name + ending)(config)


def t5(dims):
    """A library T5 at our dimensions."""
    gated = dims["mlp"] == "gated"
    model = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=dims["vocab_size"], d_model=dims["d_model"], d_kv=dims["head_dim"],
            d_ff=dims["d_ff"], num_layers=dims["n_layers"], num_heads=dims["n_heads"],
            num_decoder_layers=dims["n_decoder_layers"], tie_word_embeddings=dims["tied"],
            relative_attention_num_buckets=dims["rel_buckets"],
            relative_attention_max_distance=dims["rel_max_distance"],
            feed_forward_proj="gated-gelu" if gated else "relu", decoder_start_token_id=0,
        )
    )  # fmt: skip
    if not dims["tied"]:  # which the library ties again
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    return model


LIBRARY = {
    "t5": (T5, t5, T5_NAMES),
    "t5 v1.1": (T5_V11, t5, T5_NAMES),
    "bart": (
        BART,
        lambda d: bart_like("Bart", d, max_position_embeddings=40, activation_function="gelu"),
        BART_NAMES,
    ),
    "marian": (
        MARIAN,
        lambda d: bart_like(
            "Marian", d, max_position_embeddings=40, activation_function="silu",
            scale_embedding=True, decoder_vocab_size=d["vocab_size"],
        ),
        BART_NAMES,
    ),
    "whisper": (
        WHISPER,
        lambda d: bart_like("Whisper", d, num_mel_bins=16, max_source_positions=50,
                            max_target_positions=40),
        BART_NAMES,
    ),
}  # fmt: skip


def topology_of(dims):
    """The topology that these dimensions belong to."""
    return TOPOLOGIES["speech_recognizer" if dims.get("source") == "audio" else "encoder_decoder"]


def complete(dims):
    """Dimensions with the table's defaults."""
    defaults = {name: dim.default for name, dim in topology_of(dims).table.items()}
    return defaults | dims


def parts_model(dims):
    """The model of the parts as they stand."""
    values = complete(dims) | {"context_length": dims["max_pos"]}
    known = {field.name for field in fields(part("config").Config)}
    config = part("config").Config(**{k: v for k, v in values.items() if k in known})
    return part("encoder_decoder").build_model(config)


def generated_model(dims):
    """The model of generated source."""
    topology, dims = topology_of(dims), complete(dims)
    folder = Path(tempfile.mkdtemp())
    source = network_sources(topology, topology.switches(dims))["model"]
    (folder / "model.py").write_text(source, encoding="utf-8")
    (folder / "config.py").write_text((PARTS / "config.py").read_text(encoding="utf-8"))
    name = f"generated_seq2seq_{next(_names)}"
    known = {f.name for f in fields(part("config").Config)}
    values = dims | {"context_length": dims["max_pos"]}
    config = module(name, folder, "config").Config(
        **{k: v for k, v in values.items() if k in known}
    )
    return module(name, folder, "model").build_model(config)


@pytest.fixture(params=LIBRARY, ids=str)
def case(request):
    return LIBRARY[request.param]


@pytest.fixture(params=[parts_model, generated_model], ids=["parts", "generated"])
def twins(request, case):
    """The library's model and ours with its weights."""
    dims, build, names = case
    torch.manual_seed(0)
    theirs = build(dims).eval()
    with torch.no_grad():
        for tensor in itertools.chain(theirs.parameters(), theirs.buffers()):
            tensor.copy_(torch.randn(tensor.shape) * 0.2)
    state = {}
    for name, tensor in theirs.state_dict().items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        state[name] = tensor
    ours = request.param(dims).eval()
    wanted = ours.state_dict().keys()
    spare = {name for name in state.keys() - wanted if "embed_tokens" not in name}  # aliases
    assert wanted <= state.keys() and not spare
    ours.load_state_dict({name: state[name] for name in wanted})
    counts = [sum(p.numel() for p in m.parameters()) for m in (ours, theirs)]
    assert counts[0] == counts[1]
    return dims, ours, theirs


@torch.inference_mode()
def test_outputs_equal_the_library(twins):
    dims, ours, theirs = twins
    target = torch.randint(3, 96, (2, 9))
    if dims.get("source") == "audio":
        audio = torch.randn(2, 16_000) * 0.1
        extractor = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
        mel = extractor(list(audio.numpy()), sampling_rate=16_000, return_tensors="pt")
        expected = theirs(input_features=mel.input_features, decoder_input_ids=target).logits
        torch.testing.assert_close(ours(audio, target), expected, atol=1e-4, rtol=1e-4)
        return
    source = torch.randint(3, 96, (2, 31))
    mask = torch.ones_like(source)
    mask[1, 20:] = 0
    expected = theirs(input_ids=source, attention_mask=mask, decoder_input_ids=target).logits
    actual = ours(source, target, mask.bool())
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_cached_and_uncached_decoding_agree(twins):
    dims, ours, _ = twins
    if dims.get("source") == "audio":
        source = torch.randn(2, 16_000) * 0.1
    else:
        source = torch.randint(3, 96, (2, 31))
    memory, tokens = ours.encode(source), torch.zeros(2, 1, dtype=torch.long)
    for _ in range(7):
        likeliest = ours.score(ours.decode(tokens, memory))[:, -1].argmax(-1, keepdim=True)
        tokens = torch.cat((tokens, likeliest), dim=1)
    assert torch.equal(ours.generate(source, tokens[:, :1], -1, 7), tokens)
    cache = ours.new_cache(2, 8)
    pieces = tokens.split([1, 3, 4], dim=1)
    cached = torch.cat([ours.decode(piece, memory, cache=cache) for piece in pieces], dim=1)
    torch.testing.assert_close(cached, ours.decode(tokens, memory), atol=1e-4, rtol=1e-4)
