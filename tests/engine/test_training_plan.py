"""The training recipe: reach, batch, layout."""

import pytest

from metagen.specs.quantities import parse_quantity
from metagen.synth.devices import ACCELERATORS, accelerator
from metagen.synth.documents import verdict
from metagen.synth.topologies import TOPOLOGIES
from metagen.synth.training_costs import Layout, TrainingCosts
from metagen.synth.training_plan import MEMORY_SHARE, training_plan

from .conftest import blueprint


@pytest.fixture
def recipe(unbound):
    def build(budget, hardware="8xH100", duration="3 days", **dims):
        spec = unbound(budget, dims)
        design = blueprint(spec).design
        plan = training_plan(
            TOPOLOGIES["decoder_lm"],
            design.model,
            design.dims,
            parse_quantity(hardware, "hardware"),
            parse_quantity(duration, "duration").value,
        )
        return plan, design

    return build


@pytest.mark.parametrize("budget", ["1M", "100M", "8B", "70B"])
@pytest.mark.parametrize("hardware", ["1xH100", "8xH100", "1xRTX4090", "512xA100"])
def test_a_recipe_is_consistent(recipe, budget, hardware):
    plan, design = recipe(budget, hardware)
    assert plan.global_batch == plan.devices * plan.micro_batch * plan.accumulation
    assert plan.planned <= plan.reachable * (1 + 1e-9)
    assert plan.train_seconds <= plan.seconds * (1 + 1e-9)
    assert 0 < plan.learning_rate < 0.02
    assert plan.warmup_steps <= plan.steps
    assert plan.fits == (plan.memory.peak <= plan.device.memory * MEMORY_SHARE)
    assert plan.sequence <= design.dims["max_pos"]


def test_reach_follows_from_peak_and_flops(recipe):
    plan, design = recipe("8B")
    forward = plan.flops_per_unit / (4 if plan.checkpointing else 3)
    assert forward == pytest.approx(2 * design.model.count(), rel=0.1), "and attention"
    rate = 8 * ACCELERATORS["H100"].peak * plan.mfu / (3 * forward)
    assert plan.reachable == pytest.approx(rate * 3 * 86400)
    assert 0.2 < plan.mfu < 0.6
    layout = Layout(8, plan.parallelism, plan.checkpointing, plan.micro_batch,
                    accumulates=plan.accumulation > 1)  # fmt: skip
    costs = TrainingCosts(TOPOLOGIES["decoder_lm"], design.model, design.dims)
    passes, update = costs.seconds(layout, ACCELERATORS["H100"], fused=True)
    step = plan.accumulation * passes + update
    assert plan.train_seconds == pytest.approx(plan.steps * step, rel=1e-3)
    assert plan.reachable * step == pytest.approx(plan.global_batch * plan.sequence * plan.seconds)
    assert "of the compute-optimal token count" in verdict(plan)


def test_memory_is_what_its_parts_are(recipe):
    plan, design = recipe("8B", "512xH100")
    params = design.model.count()
    assert plan.parallelism == "FSDP"
    assert plan.memory.weights == 4 * params / 512
    assert plan.memory.optimizer == 8 * params / 512
    assert plan.memory.peak == sum(plan.memory.parts.values())
    alone, _ = recipe("100M", "1xH100")
    assert alone.memory.exchange == 0
    replicated, small = recipe("100M", "8xH100")
    assert replicated.parallelism == "DDP"
    assert replicated.memory.exchange == 4 * small.model.count()


def test_more_devices_reach_more_but_not_more_each(recipe):
    few, _ = recipe("1B", "1xH100")
    many, _ = recipe("1B", "8xH100")
    assert few.reachable < many.reachable <= 8.5 * few.reachable


def test_compiled_passes_are_faster_and_checkpointing_spares_memory(recipe):
    _, design = recipe("1B")
    costs = TrainingCosts(TOPOLOGIES["decoder_lm"], design.model, design.dims)
    kept, again = (Layout(1, "single device", checkpointing, 4) for checkpointing in (False, True))
    device = ACCELERATORS["H100"]
    assert sum(costs.seconds(kept, device, fused=True)) < sum(
        costs.seconds(kept, device, fused=False)
    )
    assert costs.memory(again).activations < 0.6 * costs.memory(kept).activations
    forward = costs.seconds(kept, device, fused=False)[0] / 3
    assert costs.seconds(again, device, fused=False)[0] == pytest.approx(4 * forward, rel=1e-3)


def test_what_does_not_fit_says_how_many_devices_would_do(recipe):
    plan, _ = recipe("70B", "8xRTX4090")
    assert not plan.fits and plan.devices_needed > 8
    assert f"at least {plan.devices_needed} devices" in verdict(plan)


def test_small_models_stop_at_the_overtraining_limit(recipe):
    plan, design = recipe("1M")
    assert plan.planned == 2000 * design.model.count()
    assert "times the compute-optimal" in verdict(plan)


@pytest.mark.parametrize(
    ("written", "found"),
    [("H100", "H100"), ("h100-sxm5", "H100"), ("A100-80GB", "A100"), ("RTX 4090", "RTX4090"),
     ("4090", "RTX4090"), ("NVIDIA H200", "H200"), ("TPU v4", "TPUv4"), ("Abacus", None)],
)  # fmt: skip
def test_hardware_names(written, found):
    device = accelerator(written)
    assert (device.id if device else None) == found
