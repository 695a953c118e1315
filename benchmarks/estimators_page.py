"""docs/estimators.md: what other estimators say about published models, beside what is so.

The tools' figures are those of estimators.json, which `compare_estimators.py` records; MetaGen's
are counted as the page is made.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from measure_paper import text_spec

from metagen.synth.architecture import blueprint
from metagen.synth.estimates import state_bytes, training_state_bytes
from metagen.synth.parts.base import Part
from metagen.synth.topologies import TOPOLOGIES

RECORD = Path(__file__).with_name("estimators.json")
QUANTITIES = {
    "params": "parameters",
    "forward_flops": "forward FLOPs",
    "kv_bytes": "KV cache, bytes",
    "training_bytes": "training state, bytes",
}
#: Bytes of weights, gradients and optimizer for each parameter, as a tool's own code has them.
BYTES_PER_PARAMETER = {
    "MetaGen": 16,
    "llm-analysis": 18,
    "cookbook (memory)": 18,
    "accelerate": 16,
    "DeepSpeed": 20,
}
#: The lines of the tables in their order: what the record calls a tool, and its name here.
TOOLS = {
    "MetaGen": "**MetaGen**",
    "llm-analysis": "llm-analysis",
    "cookbook": "EleutherAI, parameters and FLOPs",
    "cookbook (memory)": "EleutherAI, memory",
    "torchinfo": "torchinfo",
    "fvcore": "fvcore",
    "calflops": "calflops",
    "accelerate": "accelerate",
    "DeepSpeed": "DeepSpeed",
}
#: Tools that take the dimensions of a decoder; the others take a module.
FORMULAS = ("llm-analysis", "cookbook", "cookbook (memory)")


class Case(NamedTuple):
    """A model with its exact figures and MetaGen's, by quantity; what nobody defines is absent."""

    name: str
    setting: str
    exact: dict[str, int]
    metagen: dict[str, int]


def record() -> dict[str, Any]:
    """What was recorded."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def cases(record: dict[str, Any]) -> list[Case]:
    """The compared models, in the order of the record."""
    text = (files("metagen.synth") / "published.json").read_text(encoding="utf-8")
    listed = {model["name"]: model for model in json.loads(text)}
    counted = record["tools"]["PyTorch"]["models"]
    return [
        case(name, (listed | record["additional"])[name], counted[name], record["context"])
        for name in counted
    ]


def case(name: str, entry: dict[str, Any], pytorch: dict[str, int], context: int) -> Case:
    """One model.

    Parameters and cache are exact as published.json has them, FLOPs as PyTorch counted them; the
    training state is so at MetaGen's bytes for each parameter.
    """
    design = blueprint(text_spec("1T", entry["config"]), TOPOLOGIES[entry["topology"]]).design
    part = design.model.children.get(entry.get("network"), design.model)
    exact = {"params": entry.get("params", pytorch["params"])}
    metagen = {"params": part.count()}
    setting = "Parameters and training state only.[^scan]"
    if work := entry.get("forward_flops"):
        exact["forward_flops"] = pytorch["forward_flops"]
        metagen["forward_flops"] = forward_flops(part, entry["topology"], work)
        passed = _SETTINGS[entry["topology"]].format(**work)
        setting = f"Forward pass of {passed}."
    if entry["topology"] == "decoder_lm":
        exact["kv_bytes"] = entry["kv_bytes_per_token"] * context
        metagen["kv_bytes"] = int(state_bytes(part, context))
        setting += f" Cache of {context:,} tokens in bf16."
    exact["training_bytes"] = exact["params"] * BYTES_PER_PARAMETER["MetaGen"]
    metagen["training_bytes"] = training_state_bytes(part.count(), part.count())
    return Case(name, setting, exact, metagen)


def forward_flops(part: Part, topology: str, work: dict[str, int]) -> int:
    """MetaGen's count of a forward pass; of a recogniser from the spectrogram on, as libraries."""
    whole = part.flops(work["batch"], work["length"]).counted
    if topology == "speech_recognizer":
        whole -= part.children["log_mel"].flops(work["batch"], work["length"]).counted
    return whole


_SETTINGS = {
    "decoder_lm": "one sequence of {length:,} tokens",
    "encoder_decoder": "one source and one target of {length:,} tokens",
    "speech_recognizer": "the spectrogram of thirty seconds and {length:,} tokens",
    "vit": "one picture of 224 by 224",
    "resnet": "one picture of 224 by 224",
    "unet": "one latent of 64 by 64 with a prompt of {length:,} tokens",
}


def said(case: Case, tool: str, tools: dict[str, Any]) -> dict[str, int]:
    """What a tool says about a model, by quantity; empty where it cannot express the model."""
    return case.metagen if tool == "MetaGen" else tools[tool]["models"].get(case.name, {})


def wanted(case: Case, tool: str, quantity: str) -> int:
    """The exact figure at the tool's own accounting."""
    if quantity == "training_bytes":
        return case.exact["params"] * BYTES_PER_PARAMETER[tool]
    return case.exact[quantity]


def error(said: int, exact: int) -> str:
    """The relative error of a figure: `exact`, or a signed percentage."""
    return "exact" if said == exact else f"{100 * (said - exact) / exact:+,.2f} %"


def missing(tool: str, known: bool) -> str:
    """A dash for a figure that a tool has not, with a footnote that says why."""
    if not known:
        return "–[^decoders]"
    if tool.startswith("cookbook"):
        return "–[^scripts]"
    return "–[^memory]" if tool == "accelerate" else "–[^modules]"


def row(case: Case, tool: str, title: str, tools: dict[str, Any]) -> str:
    """One line of a model's table."""
    cells, figures = [title], said(case, tool, tools)
    for quantity in case.exact:
        if quantity in figures:
            figure = figures[quantity]
            cells += [f"{figure:,}", error(figure, wanted(case, tool, quantity))]
        else:
            cells += [missing(tool, bool(figures)), ""]
    return "| " + " | ".join(cells) + " |"


def table(case: Case, tools: dict[str, Any]) -> str:
    """A model's section: a column for each quantity that it has an exact figure of."""
    exact = [f"{case.exact[q]:,}" for q in case.exact if q != "training_bytes"]
    lines = [
        "| | " + " | ".join(f"{QUANTITIES[q]} | error" for q in case.exact) + " |",
        "|---|" + "---:|---:|" * len(case.exact),
        "| *exact* | " + " | | ".join([*exact, "*by accounting*"]) + " | |",
        *(row(case, tool, title, tools) for tool, title in TOOLS.items()),
    ]
    return "\n".join([f"### {case.name}", "", case.setting, "", *lines, ""])


def summary(cases: list[Case], tools: dict[str, Any]) -> str:
    """For each tool and quantity: how many figures it gave, how many were exact, the worst."""
    lines = [
        "| | " + " | ".join(QUANTITIES.values()) + " |",
        "|---|" + "---|" * len(QUANTITIES),
    ]
    for tool, title in TOOLS.items():
        cells = [title]
        for quantity in QUANTITIES:
            pairs = [
                (said(case, tool, tools)[quantity], wanted(case, tool, quantity))
                for case in cases
                if quantity in case.exact and quantity in said(case, tool, tools)
            ]
            cells.append(_verdict(pairs))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _verdict(pairs: list[tuple[int, int]]) -> str:
    if not pairs:
        return "–"
    right = sum(said == exact for said, exact in pairs)
    if right == len(pairs):
        return f"{right} of {right} exact"
    worst = max(pairs, key=lambda pair: abs(pair[0] - pair[1]) / pair[1])
    return f"{right} of {len(pairs)} exact, worst {error(*worst)}"


def versions(record: dict[str, Any]) -> str:
    """Every tool with its version."""
    tools = record["tools"]
    shown = [f"{name} {tool['version']}" for name, tool in tools.items() if "cookbook" not in name]
    shown += [f"{name} {version}" for name, version in record["libraries"].items()]
    scripts = tools["cookbook"]["version"].items()
    shown.append(
        "EleutherAI's cookbook: " + ", ".join(f"`{name}.py` at `{at}`" for name, at in scripts)
    )
    return "; ".join(shown)


def elementwise(tools: dict[str, Any]) -> float:
    """The largest share that elementwise functions add to a profiler's multiply-adds."""
    found = [figures for tool in tools.values() for figures in tool["models"].values()]
    return max(
        figures["elementwise_flops"] / figures["forward_flops"]
        for figures in found
        if "elementwise_flops" in figures
    )


def page() -> str:
    """The whole page."""
    recorded = record()
    found, tools = cases(recorded), recorded["tools"]
    return _PAGE.format(
        models=len(found),
        summary=summary(found, tools),
        versions=versions(recorded),
        elementwise=100 * elementwise(tools),
        **BYTES_PER_PARAMETER,
        tables="\n".join(table(case, tools) for case in found),
    )


_PAGE = """# Other estimators

MetaGen is not the first to say how large a model is before it exists. This page puts the question
to seven established tools, on {models} published models, and sets their answers beside what is so.
All were evaluated under *best-effort* conditions, and the effort was theirs as much as ours: where
a setting could be chosen in a tool's favour, it was.[^favour]

{summary}

Exact is: the parameters that the published model has, each tensor once; the FLOPs that PyTorch's
counter finds in a forward pass of the library's module, two to a multiply-add, attention in full
(no causal halving) and nothing recomputed; the bytes of keys and values in bf16. The training state
is weights, gradients and Adam's moments on one device, unsharded. Tools disagree on its bytes for
each parameter, with reason, so each is held to its own: {MetaGen} for MetaGen and {accelerate} for
accelerate (all in fp32), {llm-analysis} for llm-analysis and {cookbook (memory)} for EleutherAI
(weights in bf16, the rest and a copy of the weights in fp32), {DeepSpeed} for DeepSpeed (gradients
in both precisions). What remains as error is a wrong number of parameters.

An error of +0.00 % is not exact; it is smaller than we print.

## Why they differ

Tools of two kinds are compared. *Formulas* take dimensions, as MetaGen does: they need no module
and no memory, and are right for the architecture that their author had in mind. *Profilers* take a
module and watch it run: they need one that somebody has written, and see what is executed in ways
they know. MetaGen counts the module that it is about to write, which is a form of insider trading.

- **llm-analysis** gives every MLP sixteen FLOPs for each squared width, whatever its hidden width
  and however many experts a token visits; ties every embedding; and takes heads to share the width
  of the model, which Qwen3's do not.
- **EleutherAI's calculators** were made for GPT-NeoX. The one for parameters ties embeddings and
  the one for memory does not, both count a table of positions, and the one for FLOPs knows MLPs of
  four times the width, to which it adds the experts. The cache is that of either keys or values for
  every query head: half of it where each has its own, twice where four share one.
- **torchinfo** multiplies the parameters of a linear layer by samples and not by positions, leaves
  out products of activations, and counts a tied matrix wherever it is used. About ResNet-50 it is
  right up to biases and normalisation.
- **fvcore** counts layer and batch normalisation as well, a few operations for each element, and
  does not know `torch.baddbmm`, by which the U-Net scores positions.
- **calflops** does not see `torch.bmm`, which is where Mixtral's experts are, and where the U-Net
  attends once it has scored; and does not count frozen parameters, such as Whisper's sinusoids.
- **accelerate** counts bytes, those of buffers included: running statistics and rotary frequencies.
- **DeepSpeed** is exact in every figure that it gives. It runs the model to find out, and so
  requires one.

## How they were asked

One sequence, one picture or one latent at a time, in evaluation mode. Profilers that report
multiply-adds have them doubled; calflops and DeepSpeed also report FLOPs with elementwise functions
in them, at most {elementwise:.2f} % more here, and are taken at their multiply-adds, which is the
definition that they share with the exact figures. Caches are compared where a tool has one: those
of decoder-only transformers.

Modules are those of transformers and diffusers with attention written out, since fused attention is
invisible to most; Mixtral's experts are batched products, since grouped ones are invisible even to
PyTorch's counter. They stand on the meta device, without storage, except where that would mislead a
tool: with convolutions and biased linear layers, fvcore and DeepSpeed were given real ones.

llm-analysis reads the configurations that it ships for GPT-2 and Llama-2-7B, and the dimensions of
the others; as its MLPs have two matrices, the third of a gated one is spread over them. The
calculators of EleutherAI are asked before they round. The one for parameters takes whole factors of
expansion, and is given the nearest; forward passes are a third of training without recomputation,
since `--infer` leaves the logits at their price for training. Other commits of these scripts may
answer otherwise.

Versions: {versions}. `python benchmarks/compare_estimators.py --write` asks again; MetaGen's lines
are counted when this page is made, and a test holds them to the exact ones.

## Model by model

{tables}
[^favour]: The choices are listed under *How they were asked*. That this page was written by one of
    the contestants is disclosed by its address.
[^decoders]: Takes the dimensions of decoder-only transformers; this is not one.
[^scripts]: Three scripts: one for parameters, one for FLOPs, and one for memory, which has a count
    of parameters of its own.
[^memory]: Estimates memory; it does not count operations, and knows no cache.
[^modules]: Looks at modules and what they execute; cache or training state are not its subject.
[^scan]: Without fused kernels, the library's causal convolution computes three
    positions beyond the end of the sequence and discards them, so that what is executed is a
    property of the implementation. It is 0.0003 % of a pass of 1,024; we mention it because it is
    there.
"""
