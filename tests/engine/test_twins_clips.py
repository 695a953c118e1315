"""Classifiers of sounds and of clips: blueprint and code agree, published models are exact."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

WIDTH = {"num_classes": 7, "d_model": 48, "n_layers": 2, "n_heads": 4, "head_dim": 12, "d_ff": 96}
SMALL = {
    "audio": WIDTH | {"sample_rate": 8000, "n_frames": 50, "n_mels": 24, "patch_size": 8,
                      "freq_stride": 5, "time_stride": 6},
    "video": WIDTH | {"frames": 6, "image_size": 24, "channels": 2, "tubelet": 3, "patch_size": 8},
}  # fmt: skip
VARIANTS = {
    "audio, plain": {},
    "audio, one token": {"distilled": False},
    "audio, no overlap": {"freq_stride": 8, "time_stride": 8, "attn_qkv_bias": False},
    "audio, other activation": {"activation": "gelu_tanh", "n_frames": 8, "patch_size": 3},
    "video, plain": {},
    "video, class token": {"pool": "class_token"},
    "video, learned positions": {"pos": "learned", "attn_qkv_bias": False},
    "video, vivit": {"pool": "class_token", "pos": "learned", "activation": "gelu_tanh"},
    "video, odd width, one frame": {"d_model": 51, "frames": 1, "tubelet": 1, "channels": 1},
}

#: Gong et al., 2021; frames, classes and parameters of the library's class.
PUBLISHED_AUDIO = {"AudioSet": (1024, 527, 86_594_063), "Speech Commands": (128, 35, 85_395_491)}
#: Arnab et al., 2021, 32 frames; width, layers, heads and the library's parameters and FLOPs.
PUBLISHED_VIDEO = {
    "ViViT-B/16x2": (768, 12, 12, 88_954_000, 903_049_506_816),
    "ViViT-L/16x2": (1024, 24, 16, 307_508_624, 2_871_937_335_296),
}


def spec_of(kind, dims=None, budget="1T", **task):
    sections = {
        "modality": {"inputs": [kind], "outputs": ["label"]},
        "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
        "architecture": {"dims": dims or {}},
        "task": task,
    }
    return parse(BASE | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    kind = request.param.partition(",")[0]
    spec = spec_of(kind, SMALL[kind] | VARIANTS[request.param])
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    architecture = variant[1].blueprint["architecture"]
    sample = TOPOLOGIES[architecture["topology"]].sample(architecture["dims"])
    twins.check_flops(*variant[:2], 2, *sample)


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@pytest.mark.parametrize("name", PUBLISHED_AUDIO)
def test_published_classifiers_of_sounds_are_exact(name):
    n_frames, num_classes, params = PUBLISHED_AUDIO[name]
    pins = {"n_frames": n_frames, "num_classes": num_classes, "d_model": 768, "n_layers": 12,
            "n_heads": 12, "head_dim": 64, "d_ff": 3072}  # fmt: skip
    design = blueprint(spec_of("audio", pins)).design
    assert design.model.count() == params
    if name == "AudioSet":  # without the mel filters, which the library leaves to its extractor
        length = TOPOLOGIES["audio_classifier"].length(design.dims)
        filters = design.model.log_mel.flops(1, 1).counted
        assert design.model.flops(1, length).counted - filters == 261_028_747_776


@pytest.mark.parametrize("name", PUBLISHED_VIDEO)
def test_published_classifiers_of_clips_are_exact(name):
    d_model, n_layers, n_heads, params, flops = PUBLISHED_VIDEO[name]
    pins = {"frames": 32, "d_model": d_model, "n_layers": n_layers, "n_heads": n_heads,
            "head_dim": 64, "d_ff": 4 * d_model, "pool": "class_token", "pos": "learned",
            "tubelet": 2, "patch_size": 16, "activation": "gelu_tanh"}  # fmt: skip
    design = blueprint(spec_of("video", pins)).design
    assert design.model.count() == params
    length = TOPOLOGIES["video_classifier"].length(design.dims)
    assert design.model.flops(1, length).counted == flops


@pytest.mark.parametrize("topology", ["audio_classifier", "video_classifier"])
@settings(max_examples=60, deadline=None)
@given(st.floats(5, 12))
def test_every_budget_is_filled(topology, exponent):
    twins.filled(TOPOLOGIES[topology], 10**exponent, {"num_classes": 50})


def test_the_task_decides_the_sound():
    dims = blueprint(spec_of("audio", num_classes=9, sample_rate="8kHz", seconds=3)).design.dims
    assert (dims["num_classes"], dims["sample_rate"], dims["n_frames"]) == (9, 8000, 300)
    assert blueprint(spec_of("audio", seconds=86_400)).design.dims["n_frames"] == 3000


def test_the_task_decides_the_clip():
    dims = blueprint(spec_of("video", num_classes=9, frames=15, image_size=96)).design.dims
    assert (dims["num_classes"], dims["frames"], dims["image_size"]) == (9, 15, 96)
    assert (dims["tubelet"], dims["patch_size"]) == (1, 16)


@pytest.mark.parametrize(
    ("kind", "pins", "words"),
    [
        ("audio", {"patch_size": 200}, "a patch is larger than"),
        ("audio", {"n_frames": 10}, "a patch is larger than"),
        ("video", {"patch_size": 9, "image_size": 32}, "does not divide"),
        ("video", {"tubelet": 3, "frames": 8}, "does not divide"),
    ],
)
def test_patches_fit_into_what_they_cut(kind, pins, words):
    with pytest.raises(SpecError, match=words):
        blueprint(spec_of(kind, pins))
