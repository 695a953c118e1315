"""Audio classifiers: blueprint and code agree, published models are exact, budgets are filled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.solver import Frame, required_fill
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

TOPOLOGY = TOPOLOGIES["audio_classifier"]
MODALITY = {"inputs": ["audio"], "outputs": ["label"]}
SMALL = {"sample_rate": 8000, "n_frames": 50, "n_mels": 24, "patch_size": 8, "freq_stride": 5,
         "time_stride": 6, "num_classes": 7, "d_model": 48, "n_layers": 2, "n_heads": 4,
         "head_dim": 12, "d_ff": 96}  # fmt: skip
VARIANTS = {
    "plain": {},
    "one token": {"distilled": False},
    "no overlap": {"freq_stride": 8, "time_stride": 8, "attn_qkv_bias": False},
    "other activation": {"activation": "gelu_tanh", "n_frames": 8, "patch_size": 3},
}

#: Gong et al., 2021; frames, classes and parameters of the library's class.
PUBLISHED = {"AudioSet": (1024, 527, 86_594_063), "Speech Commands": (128, 35, 85_395_491)}


def spec_of(dims=None, budget="1T", **task):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    architecture = {"dims": dims or {}}
    sections = {"constraints": constraints, "architecture": architecture, "task": task}
    return parse(BASE | {"modality": MODALITY} | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(SMALL | VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    twin, length = TOPOLOGY.build(dims), TOPOLOGY.length(dims)
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
        waves = torch.zeros(2, *TOPOLOGY.sample(dims))
    assert twins.counted_flops(lambda: model(waves)) == twin.flops(2, length).counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_style(variant[2])
    twins.check_switches(variant[1])
    twins.check_training_pass(variant[0])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_are_exact(name):
    n_frames, num_classes, params = PUBLISHED[name]
    pins = {"n_frames": n_frames, "num_classes": num_classes, "d_model": 768, "n_layers": 12,
            "n_heads": 12, "head_dim": 64, "d_ff": 3072}  # fmt: skip
    design = blueprint(spec_of(pins)).design
    assert design.model.count() == params
    if name == "AudioSet":  # without the mel filters, which the library leaves to its extractor
        filters = design.model.log_mel.flops(1, 1).counted
        flops = design.model.flops(1, TOPOLOGY.length(design.dims)).counted
        assert flops - filters == 261_028_747_776


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 12))
def test_every_budget_is_filled(exponent):
    budget = 10**exponent
    best = TOPOLOGY.shapes(budget, Frame({"num_classes": 50}))[0]
    assert required_fill(budget) * budget <= best.params <= budget
    assert TOPOLOGY.build(best.dims).count() == best.params


def test_the_task_decides_the_sound():
    dims = blueprint(spec_of(num_classes=9, sample_rate="8kHz", seconds=3)).design.dims
    assert (dims["num_classes"], dims["sample_rate"], dims["n_frames"]) == (9, 8000, 300)
    assert blueprint(spec_of(seconds=86_400)).design.dims["n_frames"] == 3000


@pytest.mark.parametrize("pins", [{"patch_size": 200}, {"n_frames": 10}], ids=str)
def test_a_patch_fits_into_the_spectrogram(pins):
    with pytest.raises(SpecError, match="a patch is larger than"):
        blueprint(spec_of(pins))
