"""Ask other estimators about published models, and record what they say.

    python benchmarks/compare_estimators.py --write [--tools torchinfo ...] [--cookbook FOLDER]

Needs PyTorch, transformers, diffusers and the tools themselves; `--tools` names those that this
environment has, and the others' lines of benchmarks/estimators.json stay as they are: llm-analysis
pins an old transformers, and wants an environment of its own. EleutherAI's calculators are scripts;
FOLDER holds the three that `COOKBOOK` names, as `git show <commit>:calc/<file>` writes them.

Nothing is taken from a tool's documentation: every figure is what its own code returned. docs/
estimators.md is made from the record by `docs/generate.py`; only there MetaGen is asked.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import multiprocessing
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import torch
from library_models import MODELS, Forward
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
RECORD = Path(__file__).with_name("estimators.json")
PUBLISHED = ROOT / "src" / "metagen" / "synth" / "published.json"
#: Tokens whose keys and values the caches of decoders hold.
CONTEXT = 1024
#: The calculators of github.com/EleutherAI/cookbook, at the commits that were run.
COOKBOOK = {
    "calc_transformer_params": "69516ad419220789ac840d74d40b6610f9c58fd9",
    "calc_transformer_flops": "05c40662afa6dde5b78e09e9db4cd9df730b50c7",
    "calc_transformer_mem": "069ae2ef9f69f8fb3f1413272015ccb59f3d4a6c",
}
#: Models that published.json does not list: what MetaGen is told to count them.
ADDITIONAL = {
    "ResNet-50": {
        "topology": "resnet",
        "config": {
            "image_size": 224,
            "channels": 3,
            "num_classes": 1000,
            "block": "bottleneck",
            "stem_dim": 64,
            "hidden_sizes": [256, 512, 1024, 2048],
            "depths": [3, 4, 6, 3],
        },
        "forward_flops": {"batch": 1, "length": 1},
    }
}

Dims = dict[str, Any]
Figures = dict[str, int]
Ask = Callable[[Forward, tuple[Tensor, ...]], Figures]


def ask_pytorch(model: Forward, inputs: tuple[Tensor, ...]) -> Figures:
    """What PyTorch itself counts: the reference."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(*inputs)
    params = sum(p.numel() for p in model.parameters())
    return {"params": params, "forward_flops": counter.get_total_flops()}


def ask_torchinfo(model: Forward, inputs: tuple[Tensor, ...]) -> Figures:
    """`torchinfo.summary`; it counts multiply-adds."""
    from torchinfo import summary

    found = summary(model, input_data=inputs, device=inputs[0].device, verbose=0)
    return {"params": found.total_params, "forward_flops": 2 * found.total_mult_adds}


def ask_fvcore(model: Forward, inputs: tuple[Tensor, ...]) -> Figures:
    """`fvcore.nn.FlopCountAnalysis`; its flop is a multiply-add."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, inputs)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {"params": parameter_count(model)[""], "forward_flops": 2 * int(analysis.total())}


def ask_calflops(model: Forward, inputs: tuple[Tensor, ...]) -> Figures:
    """`calflops.calculate_flops`; its multiply-adds, which leave elementwise functions out."""
    from calflops import calculate_flops

    flops, macs, params = calculate_flops(
        model=model, args=list(inputs), output_as_string=False,
        print_results=False, print_detailed=False,
    )  # fmt: skip
    return {"params": params, "forward_flops": 2 * macs, "elementwise_flops": flops - 2 * macs}


def ask_accelerate(model: Forward, inputs: tuple[Tensor, ...]) -> Figures:
    """What `accelerate estimate-memory` prints for float32, without asking the Hub."""
    from accelerate.commands.estimate import estimate_training_usage
    from accelerate.utils import calculate_maximum_sizes

    size, _ = calculate_maximum_sizes(model.model)
    usage = estimate_training_usage(size, "float32")
    return {"params": int(size) // 4, "training_bytes": int(max(usage.values()))}


def ask_deepspeed(model: Forward, inputs: tuple[Tensor, ...]) -> Figures:
    """DeepSpeed's profiler, and its ZeRO-2 estimate of one device for the same parameters."""
    from deepspeed.profiling.flops_profiler import get_model_profile
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    flops, macs, params = get_model_profile(
        model, args=list(inputs), print_profile=False, as_string=False, warm_up=0
    )
    _, device = estimate_zero2_model_states_mem_needs(params, cpu_offload=False)
    return {
        "params": params,
        "forward_flops": 2 * macs,
        "elementwise_flops": flops - 2 * macs,
        "training_bytes": device,
    }


def ask_llm_analysis(name: str, dims: Dims, length: int) -> Figures:
    """llm-analysis: its own configuration where it ships one, else the model's dimensions.

    It knows MLPs of two matrices; of a gated one the third is spread over the two.
    """
    from llm_analysis.analysis import LLMAnalysis
    from llm_analysis.config import GPUConfig, ModelConfig, get_model_config_by_name

    bundled = {"GPT-2": "gpt2", "Llama-2-7B": "NousResearch_Llama-2-7b-hf"}
    hidden = dims["d_ff"] * 3 // 2 if dims["mlp"] == "gated" else dims["d_ff"]
    experts = dims.get("moe", {})
    config = (
        get_model_config_by_name(bundled[name])
        if name in bundled
        else ModelConfig(
            name=name,
            num_layers=dims["n_layers"],
            n_head=dims["n_heads"],
            hidden_dim=dims["d_model"],
            vocab_size=dims["vocab_size"],
            max_seq_len=dims["max_pos"],
            num_key_value_heads=dims["n_kv_heads"],
            ffn_embed_dim=hidden,
            expansion_ratio=hidden / dims["d_model"],
            moe_num_experts=experts.get("n_experts", 1),
            moe_top_k=experts.get("top_k", 1),
        )
    )
    large = GPUConfig("large", 10**5, 10**4, 10**3, 1e-5, 10**3)
    analysis = LLMAnalysis(config, large)
    state = analysis.training(batch_size_per_gpu=1, seq_len=length)
    kept = ("weight_memory_per_gpu", "gradient_memory_per_gpu", "optimizer_state_memory_per_gpu")
    cache = analysis.get_memory_kv_cache_per_layer(1, CONTEXT) * config.num_layers
    return {
        "params": int(analysis.get_num_params_total()),
        "forward_flops": int(analysis.get_num_flops_fwd_total(1, length)),
        "kv_bytes": int(cache),
        "training_bytes": int(sum(state[key] for key in kept)),
    }


def returned(script: ModuleType, function: str, options: list[str]) -> dict[str, Any]:
    """The local variables of a script's function as it returns: what it prints, before rounding."""
    found: dict[str, Any] = {}

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code.co_name == function:
            found.update(frame.f_locals)

    args = script.config_parser().parse_args(options)
    sys.setprofile(watch)
    try:
        getattr(script, function)(args)
    finally:
        sys.setprofile(None)
    return found


def ask_cookbook(folder: Path, dims: Dims, length: int) -> dict[str, Figures]:
    """EleutherAI's calculators, each asked for what it is for.

    Where a calculator takes whole expansion factors only, the number of its matrices times its
    factor is the nearest that two or three matrices reach. Training without recomputation is three
    forward passes; `--infer` counts the logits as training does, and is not used.
    """
    scripts = {}
    for name in COOKBOOK:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        scripts[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(scripts[name])
    linears, width = 3 if dims["mlp"] == "gated" else 2, dims["d_ff"] / dims["d_model"]
    whole = min(
        ((n, factor) for n in (2, 3) for factor in range(1, 33)),
        key=lambda pair: (abs(pair[0] * pair[1] - linears * width), pair[0] != linears),
    )
    experts = dims.get("moe")
    common = [
        f"--vocab-size={dims['vocab_size']}", f"--hidden-size={dims['d_model']}",
        f"--num-layers={dims['n_layers']}", f"--sequence-length={length}",
        f"--kv-size-ratio={dims['n_kv_heads'] / dims['n_heads']}",
    ]  # fmt: skip
    mixed = (
        ["--moe", f"--num-experts={experts['n_experts']}", "--expert-interval=1",
         f"--topk={experts['top_k']}"] if experts else []
    )  # fmt: skip
    mlp = [f"--num-mlp-linears={whole[0]}", f"--ffn-expansion-factor={whole[1]}"]
    params = returned(
        scripts["calc_transformer_params"], "calc_params", [*common, *mixed, *mlp]
    )["total_params"]  # fmt: skip
    step = returned(
        scripts["calc_transformer_flops"], "calc_params",
        [*common, *mixed, f"--tokens={length}", "--no-checkpoint-activations"],
    )["total_flops"]  # fmt: skip
    memory = [
        *common, f"--num-attention-heads={dims['n_heads']}", f"--num-mlp-linears={linears}",
        f"--ffn-expansion-factor={width}",
    ]  # fmt: skip
    if experts:
        memory.append(f"--num-experts={experts['n_experts']}")
    script = scripts["calc_transformer_mem"]
    trained = returned(script, "calc_mem", memory)
    at_context = [f"--sequence-length={CONTEXT - 1}", "--output-tokens=1"]
    served = returned(script, "calc_mem", [*memory, "--infer", *at_context])
    state = ("per_gpu_model_mem", "per_gpu_gradient_mem", "per_gpu_optimizer_mem")
    return {
        "cookbook": {"params": int(params), "forward_flops": int(step / 3)},
        "cookbook (memory)": {
            "params": int(trained["EP_total_params" if experts else "total_params"]),
            "kv_bytes": int(served["per_gpu_kv_cache_mem"]),
            "training_bytes": int(sum(trained[key] for key in state)),
        },
    }


@dataclass(frozen=True)
class Tool:
    """A tool, and how it is asked.

    Attributes:
        package: the distribution whose version is recorded.
        ask: what returns the figures of one model.
        storage: whether it errs without storage, on the meta device: DeepSpeed then counts a
            biased linear layer twice, and fvcore cannot trace a convolution.
    """

    package: str
    ask: Ask
    storage: bool = False


TOOLS = {
    "PyTorch": Tool("torch", ask_pytorch),
    "torchinfo": Tool("torchinfo", ask_torchinfo),
    "fvcore": Tool("fvcore", ask_fvcore, storage=True),
    "calflops": Tool("calflops", ask_calflops),
    "accelerate": Tool("accelerate", ask_accelerate),
    "DeepSpeed": Tool("deepspeed", ask_deepspeed, storage=True),
}
FORMULAS = ("llm-analysis", "cookbook")


def published() -> dict[str, dict[str, Any]]:
    """The compared models by name: topology, dimensions, and the length of a forward pass."""
    listed = {model["name"]: model for model in json.loads(PUBLISHED.read_text(encoding="utf-8"))}
    return {name: (listed | ADDITIONAL)[name] for name in MODELS}


def length_of(entry: dict[str, Any]) -> int:
    """Positions of the forward pass that is counted; one where only parameters are compared."""
    return entry.get("forward_flops", {"length": 1})["length"]


def ask_tool(name: str) -> dict[str, Figures]:
    """What a tool that looks at modules says about every model."""
    tool, found = TOOLS[name], {}
    for model, entry in published().items():
        device = "cpu" if tool.storage and MODELS[model].resident else "meta"
        with torch.device(device), torch.no_grad():
            module, inputs = MODELS[model].build(entry["config"], length_of(entry))
            forward = Forward(module, tuple(inputs)).eval()
        with torch.no_grad():
            said = tool.ask(forward, tuple(inputs.values()))
        found[model] = {
            quantity: figure
            for quantity, figure in said.items()
            if "forward_flops" in entry or not quantity.endswith("flops")
        }
        print(name, model, found[model], file=sys.stderr, flush=True)
    return found


def ask_formulas(name: str, folder: Path | None) -> dict[str, dict[str, Figures]]:
    """What a tool that takes dimensions says about the decoders, under each of its lines."""
    found: dict[str, dict[str, Figures]] = {}
    for model, entry in published().items():
        if not MODELS[model].decoder:
            continue
        dims, length = entry["config"], length_of(entry)
        if name == "cookbook":
            lines = ask_cookbook(folder, dims, length)
        else:
            lines = {name: ask_llm_analysis(model, dims, length)}
        for line, figures in lines.items():
            found.setdefault(line, {})[model] = figures
    return found


def asked(name: str, folder: Path | None) -> dict[str, dict[str, Any]]:
    """The lines of the record that one tool fills: its version, and its figures by model."""
    if name in TOOLS:
        version = importlib.metadata.version(TOOLS[name].package)
        return {name: {"version": version, "models": ask_tool(name)}}
    version = (
        {script: commit[:7] for script, commit in COOKBOOK.items()}
        if name == "cookbook"
        else importlib.metadata.version(name)
    )
    lines = ask_formulas(name, folder)
    return {line: {"version": version, "models": models} for line, models in lines.items()}


def main() -> None:
    """Ask the tools, each in a process of its own: profilers replace PyTorch's functions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", nargs="+", choices=(*TOOLS, *FORMULAS), default=tuple(TOOLS))
    parser.add_argument("--cookbook", type=Path, help="folder of EleutherAI's calculators")
    parser.add_argument("--write", action="store_true", help=f"renew {RECORD.name}")
    args = parser.parse_args()
    if "cookbook" in args.tools and args.cookbook is None:
        parser.error("the cookbook's calculators are asked for: --cookbook FOLDER")
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned, max_tasks_per_child=1) as pool:
        answers = list(pool.map(partial(asked, folder=args.cookbook), args.tools))
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {"tools": {}}
    for lines in answers:
        record["tools"] |= lines
    if "PyTorch" in args.tools:
        names = ("transformers", "diffusers")
        record["libraries"] = {name: importlib.metadata.version(name) for name in names}
        record["python"] = platform.python_version()
    record |= {"context": CONTEXT, "additional": ADDITIONAL}
    text = json.dumps(record, indent=2) + "\n"
    if args.write:
        RECORD.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
