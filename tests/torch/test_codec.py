"""The neural codec against the library: frames, codes and waveforms, with copied weights."""

import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .packages import config_of, generated_package, part  # noqa: E402

SIZES = {"sample_rate": 800, "audio_channels": 1, "num_filters": 4, "ratios": (5, 4, 2),
         "kernel": 7, "last_kernel": 5, "residual_kernel": 3, "dilation_growth": 2, "compress": 2,
         "n_residual_layers": 2, "n_lstm_layers": 2, "codebook_size": 16, "n_codebooks": 6,
         "codebook_dim": 12}  # fmt: skip
VARIANTS = {
    "24 kHz": {},
    "48 kHz": {"codec_norm": "time_group_norm", "causal_conv": False, "audio_channels": 2},
    "32 kHz": {"causal_conv": False, "conv_shortcut": False, "ratios": (3, 2)},
    "silent ends": {"pad_mode": "constant"},
}
NAMES = (
    (r"\.block\.1\.", ".conv1."),
    (r"\.block\.3\.", ".conv2."),
    (r"quantizer\.layers\.(\d+)\.codebook", r"quantizer.codebooks.\1"),
    (r"\.cluster_size$", ".usage"),
    (r"\.embed$", ".codes"),
    (r"\.embed_avg$", ".sums"),
)


def theirs(config):
    """The library's model with random weights and codes."""
    sizes = transformers.EncodecConfig(
        sampling_rate=config.sample_rate, audio_channels=config.audio_channels,
        num_filters=config.num_filters, upsampling_ratios=list(config.ratios),
        kernel_size=config.kernel, last_kernel_size=config.last_kernel,
        residual_kernel_size=config.residual_kernel, dilation_growth_rate=config.dilation_growth,
        compress=config.compress, num_residual_layers=config.n_residual_layers,
        num_lstm_layers=config.n_lstm_layers, codebook_size=config.codebook_size,
        hidden_size=config.codebook_dim, norm_type=config.codec_norm,
        use_causal_conv=config.causal_conv, pad_mode=config.pad_mode,
        use_conv_shortcut=config.conv_shortcut,
        normalize=config.codec_norm == "time_group_norm",
        # kbit/s of all codebooks
        target_bandwidths=[config.n_codebooks * rate(config) * 4 / 1000],
    )  # fmt: skip
    library = transformers.EncodecModel(sizes).eval()
    for name, tensor in (*library.named_parameters(), *library.named_buffers()):
        if tensor.dtype == torch.float32 and "inited" not in name:
            torch.nn.init.normal_(tensor, std=0.3)
    return library


def rate(config):
    """Frames in a second, a whole number here."""
    return config.sample_rate // torch.tensor(config.ratios).prod().item()


def renamed(library):
    """Its state dict in our names, without the flags that codebooks are filled."""
    result = {}
    for name, tensor in library.state_dict().items():
        if not name.endswith("inited"):
            for pattern, ours in NAMES:
                name = re.sub(pattern, ours, name)
            result[name] = tensor
    return result


@pytest.mark.parametrize("variant", VARIANTS)
def test_frames_codes_and_waveforms_equal_those_of_the_library(variant):
    torch.manual_seed(0)
    sizes = SIZES | VARIANTS[variant]
    if sizes["ratios"] == (3, 2):
        sizes |= {"sample_rate": 600}
    config = config_of(**sizes)
    library = theirs(config)
    for module in (part("audio_codec"), generated_package("audio_codec", config)):
        codec = module.build_model(config).eval()
        codec.load_state_dict(renamed(library))
        waveform = torch.randn(2, config.audio_channels, 411)  # not a whole number of frames
        with torch.no_grad():
            frames = codec.encoder(waveform)
            torch.testing.assert_close(frames, library.encoder(waveform), atol=1e-4, rtol=1e-4)
            codes = codec.encode(waveform)
            expected = library.encode(waveform, return_dict=True)
            assert torch.equal(codes, expected.audio_codes[0])
            scales = expected.audio_scales
            decoded = library.decode(expected.audio_codes, scales).audio_values
            ours = codec.decode(codes, codec.level(waveform))
            torch.testing.assert_close(ours, decoded, atol=1e-4, rtol=1e-4)
            restored, _ = codec(waveform)
            torch.testing.assert_close(restored, decoded[..., :411], atol=1e-4, rtol=1e-4)
    assert codec.frame_rate == rate(config) and codes.shape[1] == config.n_codebooks
