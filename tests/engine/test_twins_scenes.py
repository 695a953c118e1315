"""Models of scenes agree with their PyTorch twins: tensors, FLOPs, budgets; the code is clean."""

import pytest

from metagen.specs.loader import parse
from metagen.synth.parts.detr import Detr
from metagen.synth.parts.segformer import SegFormer

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

TASKS = {
    "semantic_segmentation": "segmentation_mask",
    "object_detection": "bounding_boxes",
    "instance_segmentation": "segmentation_mask",
}

STAGES = {"hidden_sizes": [16, 32, 64, 64], "depths": [1, 2, 1, 1]}
TRANSFORMER = {"d_model": 32, "n_heads": 4, "d_ff": 48, "encoder_layers": 2, "decoder_layers": 1,
               "num_queries": 7, "stem_dim": 8}  # fmt: skip

VARIANTS = {
    "segformer": ("semantic_segmentation", STAGES | {"decoder_dim": 24}, {"image_size": 70}),
    "unreduced": ("semantic_segmentation", {"sr_ratios": [1, 1, 1, 1], "decoder_dim": 16}, {}),
    "smallest pictures": ("semantic_segmentation", {"decoder_dim": 16},
                          {"image_size": 8, "channels": 1, "num_classes": 2}),
    "detr": ("object_detection", STAGES | TRANSFORMER, {"image_size": 70, "num_classes": 3}),
    "smallest boxes": ("object_detection", {}, {"image_size": 8, "channels": 1, "num_classes": 2}),
    "instances": ("instance_segmentation", STAGES | TRANSFORMER, {"image_size": 70}),
}  # fmt: skip


def spec_of(task, dims, sizes, budget="1M"):
    return parse(
        BASE
        | {
            "modality": {"inputs": ["image"], "outputs": [TASKS[task]]},
            "task": {"type": task} | {"image_size": 64} | sizes,
            "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
            "architecture": {"dims": dims},
        }
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    task, dims, sizes = VARIANTS[request.param]
    return import_package(spec_of(task, dims, sizes), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    config = package.Config.full()
    with torch.device("meta"):
        model = package.build_model(config).eval()
    shape = 2, config.channels, config.image_size, config.image_size
    counted = twins.counted_flops(lambda: model(torch.zeros(shape)))
    dims = release.blueprint["architecture"]["dims"]
    twin = SegFormer(dims) if "decoder_dim" in dims else Detr(dims)
    assert counted == twin.flops(2, 1).counted


def test_the_generated_code_is_clean(variant):
    twins.check_style(variant[2])
    twins.check_switches(variant[1])


def test_a_forward_and_backward_pass(variant):
    twins.check_training_pass(variant[0])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("budget", ["100K", "700K", "12M", "300M", "20B", "1T"])
def test_budgets_are_filled(task, budget):
    plan = blueprint(spec_of(task, {}, {}, budget))
    least = 0.95 if plan.demands.params < 3e6 else 0.97
    assert least <= plan.design.model.count() / plan.demands.params <= 1
    assert all(row.satisfied for row in plan.constraints)


def test_flops_of_a_picture_that_is_not_square():
    dims = {"channels": 3, "num_classes": 91, "num_queries": 100, "stem_dim": 64,
            "hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 4, 6, 3], "d_model": 256,
            "encoder_layers": 6, "decoder_layers": 6, "n_heads": 8, "d_ff": 2048,
            "masks": False}  # fmt: skip
    model = Detr(dims, (800, 1066))
    assert model.count() == 41_524_768
    assert model.flops(1, 1).counted == 162_334_464_000


@pytest.mark.parametrize(
    ("task", "dims", "named"),
    [
        ("semantic_segmentation", {"depths": [1, 2]}, "depths"),
        ("semantic_segmentation", {"hidden_sizes": [9, 9, 9, 9], "stage_heads": [2, 3, 3, 3]},
         "stage_heads"),
        ("object_detection", {"d_model": 30}, "d_model"),
        ("object_detection", {"d_model": 64, "n_heads": 3}, "n_heads"),
        ("object_detection", {"masks": True}, "masks"),
    ],
)  # fmt: skip
def test_contradictions_are_named(task, dims, named):
    from metagen.specs.errors import SpecError

    with pytest.raises(SpecError, match=named):
        blueprint(spec_of(task, dims, {}))
