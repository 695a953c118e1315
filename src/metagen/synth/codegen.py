"""Which parts and which files a release is made of, and the numbers in its `config.py`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .architecture import Blueprint
from .dims import DIMS
from .release import SourceFile
from .solver import BYTE_VOCABULARY
from .specialise import join_parts, literal, specialise
from .training_plan import TrainingPlan

#: The part at the top of the model, and what `model.py` offers.
TOP = "decoder_lm"
EXPORTS = ("DecoderLM", "KVCache", "build_model")

#: Dimensions that are fields of `Config`, where not under the same name.
FIELDS = {"max_pos": "context_length"}

#: Fields that only some models have, and when.
_CONDITIONAL = {
    "pos_rows": lambda dims: dims["pos"] == "learned",
    "rope_theta": lambda dims: dims["pos"] == "rope",
    "sliding_window": lambda dims: bool(dims["sliding_window"]),
}


def template_folder() -> Path:
    """`template/` beside this engine: in the checkout, or in the wheel's bundle."""
    package = Path(__file__).parents[1]
    bundled = package / "_bundle" / "template"
    return bundled if bundled.is_dir() else package.parents[1] / "template"


def package_files(plan: Blueprint, training: TrainingPlan, seed: int) -> tuple[SourceFile, ...]:
    """The files of `code/<package>/`, in alphabetical order."""
    dims = plan.design.dims
    switches = switches_of(dims)
    programs = _sources("_programs")
    if not switches["bpe"]:
        del programs["bpe"]
    files = {"model": model_source(switches)}
    full = full_values(dims, training, seed)
    for name, source in programs.items():
        source = specialise(source, switches)
        files[name] = (
            config_source(source, dims, full, tiny_values(dims)) if name == "config" else source
        )
    return tuple(SourceFile(f"{name}.py", files[name]) for name in sorted(files))


def switches_of(dims: Mapping[str, Any]) -> dict[str, Any]:
    """The structural switches of a model, which its source is specialised on."""
    switches = {name: dims[name] for name, dim in DIMS.items() if dim.switch}
    switches["rotary_pct"] = float(dims["rotary_pct"])
    return switches | {
        "windowed": bool(dims["sliding_window"]),
        "bpe": dims["vocab_size"] > BYTE_VOCABULARY,
    }


def model_source(switches: Mapping[str, Any]) -> str:
    """`model.py`: the parts that the top one needs, specialised and joined."""
    parts = {
        name: specialise(source, switches)
        for name, source in _sources("_parts").items()
        if name not in ("config", "__init__")
    }
    return join_parts(parts, TOP, EXPORTS)


def _sources(folder: str) -> dict[str, str]:
    paths = sorted((template_folder() / folder).glob("*.py"))
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


def full_values(dims: Mapping[str, Any], training: TrainingPlan, seed: int) -> dict[str, Any]:
    """The full preset: the blueprint's dimensions and the training plan's settings."""
    model = {FIELDS.get(name, name): dims[name] for name, dim in DIMS.items() if not dim.switch}
    return model | {
        "train_length": training.sequence,
        "steps": training.steps,
        "global_batch": training.global_batch,
        "micro_batch": training.micro_batch,
        "learning_rate": training.learning_rate,
        "min_learning_rate": float(f"{training.learning_rate / 10:.3g}"),
        "warmup_steps": training.warmup_steps,
        "seed": seed,
        "parallel": "fsdp" if training.parallelism == "FSDP" else "ddp",
        "activation_checkpointing": training.checkpointing,
    }


def tiny_values(dims: Mapping[str, Any]) -> dict[str, Any]:
    """The tiny preset's dimensions: never above the full ones, heads grouped as they are."""
    n_heads = min(4, dims["n_heads"])
    group = dims["n_heads"] // dims["n_kv_heads"]
    tiny_group = max(g for g in range(1, n_heads + 1) if n_heads % g == 0 and g <= group)
    context = min(256, dims["max_pos"])
    return {
        "vocab_size": min(320, dims["vocab_size"]),
        "d_model": min(128, dims["d_model"]),
        "n_layers": min(4, dims["n_layers"]),
        "n_heads": n_heads,
        "n_kv_heads": n_heads // tiny_group,
        "head_dim": min(32, dims["head_dim"]),
        "d_ff": min(384 if dims["mlp"] == "gated" else 512, dims["d_ff"]),
        "context_length": context,
        "pos_rows": min(context, dims["pos_rows"] or context),
        "sliding_window": min(64, dims["sliding_window"] or 64, max(1, context // 2)),
        "train_length": min(128, context),
    }


def config_source(
    source: str, dims: Mapping[str, Any], full: Mapping[str, Any], tiny: Mapping[str, Any]
) -> str:
    """`config.py` with this release's numbers and without the fields it does not have."""
    absent = {name for name, wanted in _CONDITIONAL.items() if not wanted(dims)}
    lines = source.splitlines(keepends=True)
    edits: list[tuple[int, int, str]] = []
    module = ast.parse(source)
    for node in module.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "TINY":
            values = ast.literal_eval(node.value) | dict(tiny)
            body = "".join(
                f'    "{k}": {literal(v)},\n' for k, v in values.items() if k not in absent
            )
            edits.append((node.lineno, node.end_lineno, f"TINY = {{\n{body}}}\n"))
        if isinstance(node, ast.ClassDef) and node.name == "Config":
            edits += _field_edits(node, full, absent)
    for first, last, text in sorted(edits, reverse=True):
        lines[first - 1 : last] = [text] if text else []
    return "".join(lines)


def _field_edits(
    config: ast.ClassDef, full: Mapping[str, Any], absent: set[str]
) -> list[tuple[int, int, str]]:
    edits = []
    for node, after in zip(config.body, [*config.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        name = node.target.id
        if name in absent:
            documented = isinstance(after, ast.Expr)
            last = after.end_lineno if documented else node.end_lineno
            edits.append((node.lineno, last, ""))
        elif name in full:
            kind = ast.unparse(node.annotation)
            value = float(full[name]) if kind == "float" else full[name]
            edits.append((node.lineno, node.end_lineno, f"    {name}: {kind} = {literal(value)}\n"))
    return edits
