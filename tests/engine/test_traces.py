"""Traces say what autograd saves and what a pass allocates, as PyTorch itself reports them."""

import dataclasses
import importlib

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

from metagen.specs.loader import examples, load_spec
from metagen.synth.routing import route
from metagen.synth.trace import Trace

from .conftest import blueprint
from .generated import import_package
from .metering import meter

NAMES = sorted(examples())
BATCH = 2
TOLERANCE = 0.05


@pytest.fixture(params=NAMES)
def example(request, tmp_path):
    """The package of an example, its topology, and the dimensions of both presets."""
    spec = load_spec(request.param)
    package, _, _ = import_package(spec, tmp_path)
    share_evenly(package)
    pair_in_order(package)
    topology = route(spec)[0]
    full = dict(blueprint(spec).design.dims)
    small = {name: value for name, value in topology.tiny(full).items() if full.get(name)}
    return package, topology, {"full": full, "tiny": full | small}


def share_evenly(package):
    """Let experts get equal shares, as on the meta device: fakes have no values to route by."""
    model = importlib.import_module(f"{package.__name__}.model")
    if hasattr(model, "sizes_of"):
        sizes_of = model.sizes_of
        model.sizes_of = lambda visits, total: sizes_of(visits.to("meta"), total)


def pair_in_order(package):
    """Let every object have its own query: fakes have no values to match by."""
    model = importlib.import_module(f"{package.__name__}.model")
    if hasattr(model, "match"):
        match = model.match
        model.match = lambda logits, boxes, batch: (
            each_object(*batch["labels"].shape)
            if isinstance(logits, FakeTensor)
            else match(logits, boxes, batch)
        )


def each_object(pictures, objects):
    """Picture, query and object of each pair."""
    pairs = torch.arange(pictures * objects)
    return pairs // objects, pairs % objects, pairs % objects


def traced_loss(example, preset, bf16):
    """What a trace on a CPU says of the training pass, and what PyTorch does."""
    package, topology, dims = example
    config = getattr(package.Config, preset)()
    model = topology.build(dims[preset])
    batch = package.synthetic_batch(config, BATCH, seed=0)
    real = meter(
        lambda: package.build_model(config), lambda model, batch: model.loss(batch), batch,
        bf16=bf16, fake=preset == "full",
    )  # fmt: skip
    trace = Trace(autocast=bf16, accelerator=False, blocks=getattr(model, "blocks", None))
    length = getattr(config, "train_length", None) or topology.length(dims[preset])
    model.loss(trace, BATCH, length)
    return trace.close(), real


@pytest.fixture
def agrees(record_property):
    """Compare bytes that were traced with those that PyTorch reports, and put both on record."""

    def compare(quantity, traced, real):
        record_property(quantity, f"{traced} {real}")  # for benchmarks/traces.py
        assert traced == pytest.approx(real, rel=TOLERANCE)

    return compare


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
def test_tiny_training_keeps_what_autograd_saves(example, bf16, agrees):
    trace, real = traced_loss(example, "tiny", bf16)
    agrees("saved", trace.saved, real.saved)
    agrees("peak", trace.peak, real.peak)


def test_full_training_keeps_what_autograd_saves(example, agrees):
    trace, real = traced_loss(example, "full", bf16=True)
    agrees("saved", trace.saved, real.saved)
    agrees("peak", trace.peak, real.peak)


def test_inference_allocates_what_the_bench_program_does(example, agrees):
    package, topology, dims = example
    config = dataclasses.replace(package.Config.tiny(), device="cpu")
    model = topology.build(dims["tiny"])
    speed = importlib.import_module(f"{package.__name__}.speed")
    workers = importlib.import_module(f"{package.__name__}.parallel").join_workers(config)
    real = meter(
        lambda: package.build_model(config),
        lambda model, _: speed.measure_inference(model, config, workers, 1), (),
        bf16=False, fake=False, learns=False,
    )  # fmt: skip
    trace = Trace(learns=False, autocast=False, accelerator=False)
    context = dims["tiny"].get("max_pos") or topology.length(dims["tiny"])
    model.answer(trace, 1, context)
    state = 2 * topology.state_bytes(model, dims["tiny"], context)  # fp32 where that is bf16
    agrees("peak", trace.peak + state, real.peak)


def test_a_storage_counts_once_and_dies_with_its_last_array():
    trace = Trace(autocast=False)
    x = trace.given(4, 8, grad=True)
    y = x.apply("silu")
    z = y * y
    assert trace.saved == 4 * 8 * 4 and trace.live == 2 * 4 * 8 * 4
    del z
    assert trace.live == 4 * 8 * 4
    del y
    assert trace.live == 4 * 8 * 4, "backward holds it"
    assert trace.close().live == 0


def test_repeated_blocks_cost_what_they_cost_one_by_one():
    def block(x):
        return x + (x * x).apply("gelu")

    def run(repeated):
        trace = Trace(autocast=False)
        x = trace.given(3, 5, grad=True) * 2.0
        if repeated:
            x = trace.repeat(6, block, x)
        else:
            for _ in range(6):
                x = block(x)
        return trace.saved, trace.live, trace.peak, sum(op.times for op in trace.ops)

    assert run(True) == run(False)


def test_checkpointed_blocks_keep_their_inputs():
    def block(x):
        return x + (x * x).apply("gelu")

    trace = Trace(autocast=False, checkpointing=True)
    x = trace.given(3, 5, grad=True) * 2.0
    x = trace.repeat(6, lambda y: trace.checkpointed(block, y), x)
    assert trace.saved == 6 * 3 * 5 * 4
    assert trace.recomputed == 3 * 5 * 4, "the square; the input is kept anyway"
