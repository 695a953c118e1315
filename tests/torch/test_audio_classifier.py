"""The audio spectrogram transformer: equal outputs, and spectrograms equal to a reference."""

import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from metagen.synth.codegen import network_sources  # noqa: E402
from metagen.synth.topologies import TOPOLOGIES  # noqa: E402

from .packages import PARTS, config_of, module, part  # noqa: E402

SIZES = {"sample_rate": 16000, "n_frames": 46, "n_mels": 24, "patch_size": 8, "freq_stride": 5,
         "time_stride": 6, "num_classes": 7, "d_model": 48, "n_layers": 2, "n_heads": 4,
         "head_dim": 12, "d_ff": 96, "activation": "gelu", "norm_eps": 1e-12}  # fmt: skip

NAMES = (
    (r"^audio_spectrogram_transformer\.", ""),
    (r"^embeddings\.cls_token", "class_token"),
    (r"^embeddings\.distillation_token", "distill_token"),
    (r"^embeddings\.position_embeddings", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection", "patch_embed"),
    (r"^layers\.", "blocks."),
    (r"\.attention\.", ".attn."),
    (r"\.layernorm_before", ".attn_norm"),
    (r"\.layernorm_after", ".mlp_norm"),
    (r"\.fc1", ".up_proj"),
    (r"\.fc2", ".down_proj"),
    (r"^layernorm", "norm"),
    (r"^classifier\.layernorm", "head_norm"),
    (r"^classifier\.dense", "head"),
)


def renamed(state):
    """A library's state dict under our names."""
    result = {}
    for name, tensor in state.items():
        for pattern, new in NAMES:
            name = re.sub(pattern, new, name)
        result[name] = tensor
    return result


def generated(config, folder):
    """The model of `model.py` as a release would have it."""
    topology = TOPOLOGIES["audio_classifier"]
    dims = {name: getattr(config, name) for name in topology.table}
    source = network_sources(topology, topology.switches(dims))["model"]
    (folder / "model.py").write_text(source, encoding="utf-8")
    (folder / "config.py").write_text((PARTS / "config.py").read_text(encoding="utf-8"))
    return module(f"generated_ast_{bias(config)}", folder, "model").build_model(config)


def bias(config):
    return int(config.attn_qkv_bias)


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_scores_equal_those_of_the_library(qkv_bias, tmp_path):
    library = transformers.ASTForAudioClassification(
        transformers.ASTConfig(
            hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
            patch_size=8, frequency_stride=5, time_stride=6, max_length=46, num_mel_bins=24,
            num_labels=7, qkv_bias=qkv_bias, initializer_range=0.2,
        )
    ).eval()  # fmt: skip
    torch.manual_seed(0)
    for parameter in library.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    config = config_of(**SIZES, attn_qkv_bias=qkv_bias)
    picture = torch.randn(3, 24, 46)
    with torch.no_grad():
        expected = library(picture.transpose(1, 2)).logits
        for model in (part("audio_classifier").build_model(config), generated(config, tmp_path)):
            model.load_state_dict(renamed(library.state_dict()))
            torch.testing.assert_close(model.classify(picture), expected, atol=1e-4, rtol=1e-4)


def test_the_spectrogram_is_that_of_the_speech_recognisers():
    extractor = transformers.WhisperFeatureExtractor(feature_size=24, chunk_length=1)
    waveform = torch.randn(16000, generator=torch.Generator().manual_seed(1)) * 0.1
    expected = extractor(waveform.numpy(), sampling_rate=16000, return_tensors="pt")
    ours = part("log_mel").log_mel(waveform[None], config_of(**SIZES))
    torch.testing.assert_close(ours, expected.input_features, atol=1e-3, rtol=1e-3)


def test_one_token_is_read_alone():
    config = config_of(**SIZES, attn_qkv_bias=True, distilled=False)
    model = part("audio_classifier").build_model(config)
    assert not hasattr(model, "distill_token")
    assert model(torch.randn(2, 46 * 160)).shape == (2, 7)
