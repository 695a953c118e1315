"""What every generated package must satisfy, as asserts that the tests of a family share.

Each takes what `generated.import_package` returns: the package, its release, and its folder.
"""

import subprocess
import sys

import torch


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


def counted_flops(run):
    """What FlopCounterMode counts while `run()` runs on the meta device, attention unmasked."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH), torch.device("meta"):
        run()
    return counter.get_total_flops()


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
    from metagen.synth.topologies import TOPOLOGIES

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
