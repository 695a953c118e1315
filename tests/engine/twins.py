"""What every generated package must satisfy, as asserts that the tests of a family share.

Each takes what `generated.import_package` returns: the package, its release, and its folder.
"""

import subprocess
import sys

import pytest
import torch

from metagen.specs.errors import SpecError
from metagen.synth.solver import Frame, required_fill
from metagen.synth.topologies import TOPOLOGIES

from .conftest import blueprint


def check_state_dict(package, release):
    """Names, order, shapes, kinds and ties of the model on the meta device."""
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
    tensors = release.blueprint["state_dict"]["tensors"]
    state = model.state_dict()
    assert list(tensors) == list(state)
    assert {n: t["shape"] for n, t in tensors.items()} == {
        n: list(t.shape) for n, t in state.items()
    }
    parameters = dict(model.named_parameters())
    assert sum(p.numel() for p in parameters.values()) == release.figures["total_params"].value
    for name, tensor in tensors.items():
        if tensor["tied_to"]:
            assert model.get_parameter(name) is parameters[tensor["tied_to"]]
        elif tensor["kind"] == "buffer":
            assert name in dict(model.named_buffers())
        else:
            assert parameters[name].requires_grad == tensor["trainable"]


def twin_of(release):
    """The shape-only model of a release, and the length at which it is costed."""
    architecture = release.blueprint["architecture"]
    topology, dims = TOPOLOGIES[architecture["topology"]], architecture["dims"]
    return topology.build(dims), topology.length(dims)


def counted_flops(run, device="meta"):
    """What FlopCounterMode counts while `run()` runs on a device, attention unmasked.

    On the meta device recurrences are taken apart: models that have some are run on the CPU.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH), torch.device(device):
        run()
    return counter.get_total_flops()


def check_flops(package, release, *shape, dtype=torch.float32):
    """A pass over zeros of a shape, the first number of which counts samples, costs as stated."""
    twin, length = twin_of(release)
    with torch.device("meta"):
        model = package.build_model(package.Config.full()).eval()
        inputs = torch.zeros(shape, dtype=dtype)
    assert counted_flops(lambda: model(inputs)) == twin.flops(shape[0], length).counted


def check_flops_of_tokens(package, release, length):
    """A pass over two rows of `length` tokens costs what the blueprint's model states."""
    twin, _ = twin_of(release)
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
        tokens = torch.zeros(2, length, dtype=torch.long)
    assert counted_flops(lambda: model(tokens)) == twin.flops(2, length).counted


def check_flops_of_a_batch(package, release):
    """A pass over three samples of one length costs what the blueprint's model states."""
    twin, _ = twin_of(release)
    config = package.Config.full()
    batch = package.synthetic_batch(config, 3, 0)
    batch = {name: tensor.to("meta") for name, tensor in batch.items()}
    with torch.device("meta"):
        model = package.build_model(config)
    assert counted_flops(lambda: model(batch)) == twin.flops(3, 1).counted > 0


def filled(topology, budget, given=None):
    """The shape that is found for a budget; it is filled as a customary shape can fill it."""
    best = topology.shapes(budget, Frame(given or {}))[0]
    assert required_fill(budget) * budget <= best.params <= budget
    assert topology.build(best.dims).count() == best.params
    return best


def check_fill(plan):
    """The model of a blueprint fills its budget."""
    params = plan.demands.params
    assert required_fill(params) * params <= plan.design.model.count() <= params


def check_code(package, release, home, idle=()):
    """The code is clean, without switches, and trains every weight but the `idle` ones."""
    check_style(home)
    check_switches(release)
    check_training_pass(package, idle)


def check_style(home):
    """The files of a package are formatted and pass the linter."""
    ruff = [sys.executable, "-m", "ruff"]
    style = ["--isolated", "--line-length", "100", "--target-version", "py311"]
    select = ["--select", "E,F,I,B,UP"]
    check = subprocess.run([*ruff, "check", *style, *select, home], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    layout = subprocess.run(
        [*ruff, "format", "--diff", *style, home], capture_output=True, text=True
    )
    assert layout.returncode == 0, layout.stdout


def check_switches(release):
    """Structural switches are decided in the generated source."""
    architecture = release.blueprint["architecture"]
    for name in TOPOLOGIES[architecture["topology"]].switches(architecture["dims"]):
        for file in release.code:
            assert f"config.{name} " not in file.text and f"config.{name}:" not in file.text


def check_training_pass(package, idle=()):
    """The tiny preset has a finite loss and a gradient for every weight but the `idle` ones."""
    config = package.Config.tiny()
    model = package.build_model(config)
    loss = model.loss(package.synthetic_batch(config, 2, 0))
    loss.backward()
    assert torch.isfinite(loss)
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    assert set(missing) <= set(idle)


def check_refused(spec, path, words):
    """A specification has no blueprint; the first problem stands at a dimension and says why."""
    with pytest.raises(SpecError, match=words) as refused:
        blueprint(spec)
    assert refused.value.problems[0].path == f"architecture.dims.{path}"


def check_pins(spec_of, pins):
    """Pinned dimensions are kept, the others solved, and all of them together mean the same."""
    design = blueprint(spec_of(pins, "100M")).design
    assert {name: design.dims[name] for name in pins} == pins
    assert None not in design.dims.values()
    again = blueprint(spec_of(dict(design.dims))).design
    assert again.model.count() == design.model.count()
