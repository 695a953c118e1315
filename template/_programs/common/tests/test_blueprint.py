"""The model, the blueprint and the documents state the same figures."""

import json
import re
import shutil

import torch

from PACKAGE import Config, build_model
from PACKAGE.verify import verify


def test_the_model_has_the_tensors_of_the_blueprint(root):
    blueprint = json.loads((root / "blueprint" / "state_dict.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        model = build_model(Config.full())
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    assert shapes == {name: entry["shape"] for name, entry in blueprint["tensors"].items()}
    assert sum(p.numel() for p in model.parameters()) == blueprint["total_params"]


def test_every_figure_agrees_with_the_ledger(root):
    assert verify(root) == []


def test_a_changed_figure_is_found(root, tmp_path):
    for name in ("blueprint", "docs"):
        if (root / name).exists():
            shutil.copytree(root / name, tmp_path / name)
    page = tmp_path / "page.md"
    page.write_text("It has 1<!--=total_params--> parameters and 2<!--=nothing--> more.\n")
    assert [problem.partition(": ")[0] for problem in verify(tmp_path)] == ["page.md:1"] * 2


def test_a_changed_tensor_is_found(root, tmp_path):
    shutil.copytree(root / "blueprint", tmp_path / "blueprint")
    path = tmp_path / "blueprint" / "state_dict.json"
    blueprint = json.loads(path.read_text(encoding="utf-8"))
    name, tensor = next(iter(blueprint["tensors"].items()))
    tensor["shape"][0] += 1
    path.write_text(json.dumps(blueprint, indent=1), encoding="utf-8")
    (problem,) = verify(tmp_path)
    assert re.match(rf"blueprint/state_dict\.json:\d+: {re.escape(name)}: ", problem)


def test_a_changed_digit_of_the_data_is_found(root, tmp_path):
    shutil.copytree(root / "blueprint", tmp_path / "blueprint")
    path = tmp_path / "blueprint" / "architecture.yaml"
    lines = path.read_text(encoding="utf-8").split("\n")
    line = next(n for n, text in enumerate(lines) if text.startswith("total_params"))
    lines[line] = lines[line][:-1] + str((int(lines[line][-1]) + 1) % 10)
    path.write_text("\n".join([*lines[:-1], "note: the owner's own 1", ""]), encoding="utf-8")
    where = f"blueprint/architecture.yaml:{line + 1}"
    assert [problem.partition(": ")[0] for problem in verify(tmp_path)] == [where]
