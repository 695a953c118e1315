"""Diffusion: schedules, targets and samplers are what their papers say, on flows known exactly."""

from __future__ import annotations

import itertools
from math import log2

import pytest

torch = pytest.importorskip("torch")

from metagen.synth.specialise import specialise  # noqa: E402

from .packages import PARTS, config_of, module, part  # noqa: E402

SCHEDULES = ("linear", "scaled_linear", "cosine")
KINDS = [*itertools.product(("noise", "v"), SCHEDULES), ("flow", "linear")]
MEAN, SPREAD = 1.5, 0.4  # of the Gaussian that is learned

_names = itertools.count()


@pytest.fixture(params=["parts", "generated"])
def core(request, tmp_path):
    """`(prediction, schedule) -> (module, config)`, as the part stands and as generated."""

    def build(prediction, schedule="linear", **numbers):
        switches = {"prediction": prediction, "noise_schedule": schedule}
        config = config_of(**switches, **numbers)
        if request.param == "parts":
            return part("diffusion"), config
        source = (PARTS / "diffusion.py").read_text(encoding="utf-8")
        name = f"diffusion_{next(_names)}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "diffusion.py").write_text(specialise(source, switches), encoding="utf-8")
        (folder / "config.py").write_text((PARTS / "config.py").read_text(encoding="utf-8"))
        return module(name, folder, "diffusion"), config

    return build


def gaussian(code, config):
    """The best denoiser of N(MEAN, SPREAD^2), in closed form, for every prediction."""

    def denoise(noisy, times):
        signal, level = (code.over(each, noisy) for each in code.levels(config, times))
        variance = signal**2 * SPREAD**2 + level**2
        clean = MEAN + signal * SPREAD**2 / variance * (noisy - signal * MEAN)
        noise = level / variance * (noisy - signal * MEAN)
        return {"noise": noise, "flow": noise - clean, "v": signal * noise - level * clean}[
            config.prediction
        ]

    return denoise


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# -- schedules and targets ------------------------------------------------------------------------

#: First and last share of signal power: Ho et al. 2020; Stable Diffusion; Nichol & Dhariwal 2021.
ENDPOINTS = {
    "linear": (1 - 1e-4, 4.0358e-5),
    "scaled_linear": (1 - 0.00085, 0.0046602),
    "cosine": (0.99996, 2.4288e-9),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_noise_schedules_have_the_published_endpoints(core, schedule):
    code, config = core("noise", schedule)
    power = code.signal_power(config, torch.device("cpu"))
    assert len(power) == 1000 and bool((power.diff() < 0).all())
    assert power[0].item() == pytest.approx(ENDPOINTS[schedule][0], abs=2e-5)
    assert power[-1].item() == pytest.approx(ENDPOINTS[schedule][1], rel=2e-3)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_noise_schedules_are_those_of_the_library(core, schedule):
    diffusers = pytest.importorskip("diffusers")
    names = {"cosine": "squaredcos_cap_v2"}
    ends = {"scaled_linear": (0.00085, 0.012)}.get(schedule, (1e-4, 0.02))
    library = diffusers.DDPMScheduler(
        1000, *ends, beta_schedule=names.get(schedule, schedule)
    ).alphas_cumprod
    code, config = core("noise", schedule)
    power = code.signal_power(config, torch.device("cpu"))
    torch.testing.assert_close(power, library, rtol=1e-3, atol=1e-7)


def test_a_flow_runs_straight_from_data_to_noise(core):
    code, config = core("flow")
    signal, level = code.levels(config, torch.tensor([0.0, 250.0, 1000.0]))
    assert signal.tolist() == [1.0, 0.75, 0.0] and level.tolist() == [0.0, 0.25, 1.0]


def test_training_times_follow_their_distributions(core):
    quantiles = (torch.arange(4000) + 0.5) / 4000
    code, config = core("noise")
    drawn = code.times(config, quantiles)
    assert torch.equal(drawn.long().bincount(minlength=1000), torch.full((1000,), 4))
    code, config = core("flow")
    share = code.times(config, quantiles) / 1000
    logits = share.logit()  # a standard normal (Esser et al. 2024, section 3.1)
    assert abs(logits.mean().item()) < 1e-3 and abs(logits.std().item() - 1) < 5e-3
    code, shifted = core("flow", time_shift=3.0)
    moved = code.times(shifted, quantiles) / 1000
    torch.testing.assert_close(moved, 3 * share / (1 + 2 * share))


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
def test_a_perfect_answer_gives_sample_and_noise_back(core, kind):
    code, config = core(*kind)
    clean, noise = normal(6, 3, 4, 4), normal(6, 3, 4, 4, seed=1)
    times = torch.tensor([0.0, 1.0, 250.0, 500.0, 998.0, 999.0])
    noisy = code.corrupt(config, clean, noise, times)
    answer = code.target(config, clean, noise, times)
    said = code.split(config, noisy, answer, times)
    torch.testing.assert_close(said, (clean, noise), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [("noise", "linear"), ("v", "cosine"), ("flow", "linear")])
def test_the_loss_is_the_squared_error_of_the_target(core, kind):
    code, config = core(*kind)
    clean, noise, quantiles = normal(5, 7), normal(5, 7, seed=1), torch.linspace(0.05, 0.95, 5)
    times = code.times(config, quantiles)
    answer = code.target(config, clean, noise, times)
    zeros = code.denoising_loss(config, lambda x, t: torch.zeros_like(x), clean, noise, quantiles)
    assert zeros.item() == pytest.approx((answer**2).mean().item(), rel=1e-5)
    assert code.denoising_loss(config, lambda x, t: answer, clean, noise, quantiles) == 0


# -- samplers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
def test_ddim_equals_its_closed_form_for_a_gaussian(core, kind):
    """Every step scales the distance from the mean (Song et al. 2021, equation 12).

    The factor is (s s' SPREAD^2 + n n') / (s^2 SPREAD^2 + n^2) for signal s and noise n before the
    step, s' and n' after it.
    """
    code, config = core(*kind)
    noise = normal(64)
    got = code.sample(config, gaussian(code, config), noise, 20)
    signal, level = code.levels(config, code.sampling_times(config, 20, noise.device))
    signal = [*signal.double().tolist(), 1.0]
    level = [*level.double().tolist(), 0.0]
    distance = noise - signal[0] * MEAN
    for i in range(20):
        before = signal[i] ** 2 * SPREAD**2 + level[i] ** 2
        distance = distance * (signal[i] * signal[i + 1] * SPREAD**2 + level[i] * level[i + 1])
        distance = distance / before
    torch.testing.assert_close(got, MEAN + distance, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
def test_ddim_with_fresh_noise_samples_the_gaussian(core, kind):
    code, config = core(*kind)
    generator = torch.Generator().manual_seed(0)
    noise = normal(20_000)
    got = code.sample(config, gaussian(code, config), noise, 1000, eta=1.0, generator=generator)
    assert got.mean().item() == pytest.approx(MEAN, abs=0.02)
    assert got.std().item() == pytest.approx(SPREAD, rel=0.03)


def errors(code, config, sampler, counts):
    """How far samples end from the exact solution of the Gaussian's flow, by step count."""
    noise = normal(256)
    first = code.sampling_times(config, counts[0], noise.device)[:1]
    signal, level = (each.double() for each in code.levels(config, first))
    spread = (signal**2 * SPREAD**2 + level**2).sqrt()  # of the flow at its beginning
    exact = MEAN + SPREAD * (noise - signal * MEAN) / spread
    made = (code.sample(config, gaussian(code, config), noise, n, sampler) for n in counts)
    return [(each - exact).abs().mean().item() for each in made]


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("ddim", 1), ("heun", 2)])
def test_samplers_converge_at_their_order(core, sampler, order):
    code, config = core("flow")
    missed = errors(code, config, sampler, (10, 20, 40, 80))
    slopes = [log2(a / b) for a, b in itertools.pairwise(missed)]
    assert slopes == pytest.approx([order] * 3, abs=0.15)


@pytest.mark.parametrize("kind", [("v", "linear"), ("noise", "cosine")], ids=" ".join)
def test_two_calls_a_step_pay_on_a_table_of_times(core, kind):
    """The table's ends bend sharply, so that Heun comes near its order only with many steps."""
    code, config = core(*kind)
    once, twice = (errors(code, config, name, (20, 40)) for name in ("euler", "heun"))
    assert twice[0] < once[1] and log2(twice[0] / twice[1]) > 1.5 * log2(once[0] / once[1])


def test_heun_calls_the_denoiser_twice_a_step(core):
    code, config = core("flow")
    calls = []

    def counting(noisy, times):
        calls.append(times[0].item())
        return torch.zeros_like(noisy)

    code.sample(config, counting, normal(3), 4, "heun")
    assert calls == [1000.0, 750.0, 750.0, 500.0, 500.0, 250.0, 250.0]


@pytest.mark.parametrize("sampler", ["ddim", "euler", "heun"])
def test_guidance_of_one_is_no_guidance(core, sampler):
    code, config = core("v", "cosine")
    conditional = gaussian(code, config)

    def never(noisy, times):
        raise AssertionError("the unconditional pass is not needed")

    alone = code.sample(config, conditional, normal(9), 6, sampler)
    guided = code.sample(config, code.guided(conditional, never, 1.0), normal(9), 6, sampler)
    assert torch.equal(guided, alone)


def test_guidance_extrapolates_from_the_unconditional_answer(core):
    code, _ = core("flow")
    guided = code.guided(lambda x, t: x + 1, lambda x, t: x - 1, 3.0)
    torch.testing.assert_close(guided(normal(4), torch.ones(1)), normal(4) + 5)


@pytest.mark.parametrize("kind", [("noise", "linear"), ("flow", "linear")], ids=" ".join)
def test_seeds_reproduce_samples_exactly(core, kind):
    code, config = core(*kind)

    def drawn(seed):
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(5, 3, generator=generator)
        denoise = gaussian(code, config)
        return code.sample(config, denoise, noise, 7, eta=1.0, generator=generator)

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.allclose(drawn(3), drawn(4))


def test_what_is_believed_can_be_limited(core):
    code, config = core("noise")
    made = code.sample(config, lambda x, t: torch.zeros_like(x), normal(50), 10, limit=1.0)
    assert made.abs().max() <= 1


@pytest.mark.parametrize(("steps", "sampler"), [(0, "ddim"), (1001, "heun"), (5, "magic")])
def test_impossible_requests_are_refused(core, steps, sampler):
    code, config = core("noise")
    with pytest.raises(ValueError, match="--s"):
        code.sample(config, gaussian(code, config), normal(2), steps, sampler)
