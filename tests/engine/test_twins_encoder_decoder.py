"""Encoder–decoders of text and of sound: blueprint, FLOPs and code agree."""

import pytest

from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

SMALL = {"vocab_size": 320, "d_model": 48, "n_layers": 2, "n_decoder_layers": 3, "n_heads": 4,
         "head_dim": 16, "d_ff": 80, "max_pos": 64}  # fmt: skip
BART = {"norm": "layernorm", "mlp": "plain", "activation": "gelu", "pos": "learned",
        "pos_offset": 2, "post_norm": True, "final_norm": False, "embed_norm": True,
        "attn_bias": True, "key_bias": True, "mlp_bias": True, "logits_bias": True}  # fmt: skip
SOUND = {"audio_positions": 50, "n_mels": 24, "sample_rate": 8000}

VARIANTS = {
    "plain": ("translation", {}),
    "summaries": ("summarization", {"vocab_size": 4096, "tied": False}),
    "t5": ("translation", {"mlp": "plain", "activation": "relu", "attn_scale": False,
                           "head_scale": True, "tied": True}),
    "long": ("translation", {"pos": "rope", "max_pos": 8192}),
    "bart": ("translation", BART),
    "marian": ("translation", BART | {"pos": "sinusoidal", "pos_offset": 0, "embed_norm": False,
                                      "embed_scale": True, "activation": "silu"}),
    "whisper": ("speech_recognition", SOUND),
    "turning whisper": ("speech_recognition", SOUND | {"pos": "rope", "tied": False}),
}  # fmt: skip


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    from metagen.specs.loader import parse

    task, dims = VARIANTS[request.param]
    heard = "audio" if task == "speech_recognition" else "text"
    spec = parse(
        {
            "metagen_version": "1.0",
            "name": "probe",
            "modality": {"inputs": [heard], "outputs": ["text"]},
            "task": {"type": task},
            "constraints": {"latency": "offline", "memory_budget": "∞"},
            "architecture": {"dims": SMALL | dims},
        }
    )
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    package, release, _ = variant
    twins.check_state_dict(package, release)


def test_flops_are_those_that_pytorch_counts(variant):
    from metagen.synth.parts.encoder_decoder import EncoderDecoder

    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    heard = (2, 2 * dims["audio_positions"] * dims["sample_rate"] // 100)

    def run():
        model = package.build_model(package.Config.full())
        target = torch.zeros(2, 32, dtype=torch.long)
        audio = dims["source"] == "audio"
        model(torch.zeros(heard) if audio else target, target)

    assert twins.counted_flops(run) == EncoderDecoder(dims).flops(2, 32).counted


def test_the_generated_code_is_formatted_and_clean(variant):
    _, release, home = variant
    twins.check_style(home)
    twins.check_switches(release)
    model = next(file.text for file in release.code if file.name == "model.py")
    assert sum(bool(line.strip()) for line in model.splitlines()) < 375


def test_the_tiny_preset_runs_forward_and_backward(variant):
    package, *_ = variant
    frozen = ("encoder_pos_embed.weight", "decoder_pos_embed.weight")
    model = package.build_model(package.Config.tiny())
    idle = [n for n in frozen if n in dict(model.named_parameters())]
    idle = [n for n in idle if not model.get_parameter(n).requires_grad]
    twins.check_training_pass(package, idle)
