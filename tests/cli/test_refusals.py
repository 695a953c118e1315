"""Bad documents: a readable error, status 2, nothing written, quickly and in little memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = 'metagen_version: "1.0"\nname: "probe"\nmodality: {inputs: ["text"], outputs: ["text"]}\n'

BOMB = "".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]\n"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)]
)

DOCUMENTS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "empty": (b"", ("empty",)),
    "only a comment": (b"# nothing\n", ("empty",)),
    "list": (b"- name: x\n- y\n", ("list",)),
    "string": (b"just words\n", ()),
    "bad yaml": (b"name: [unclosed\n", ("bad.yaml:",)),
    "tab": (b"name:\n\t- x\n", ("bad.yaml:2",)),
    "unknown key": ((HEAD + "colour: red\n").encode(), ("bad.yaml:4:1", "colour")),
    "misspelt key": ((HEAD + "trainning: {}\n").encode(), ("bad.yaml:4:1", '"training"')),
    "misspelt deep key": (
        (HEAD + "training: {data: {governance: {pij: x}}}\n").encode(),
        ("training.data.governance.pij", '"pii"'),
    ),
    "wrong type": ((HEAD + "training: 3\n").encode(), ("bad.yaml:4:11", "training")),
    "bad quantity": (
        (HEAD + "constraints:\n  parameter_budget: {max: 20 bananas}\n").encode(),
        ("bad.yaml:5:27", "constraints.parameter_budget.max", '"20 bananas"', "allowed: "),
    ),
    "zero budget": (
        (HEAD + "constraints: {parameter_budget: {max: 0}}\n").encode(),
        ("constraints.parameter_budget.max",),
    ),
    "tiny budget": (
        (HEAD + "constraints: {parameter_budget: {max: 10}}\n").encode(),
        ("constraints.parameter_budget.max", "smallest"),
    ),
    "nan": (
        (HEAD + "constraints: {memory_budget: .nan}\n").encode(),
        ("constraints.memory_budget",),
    ),
    "unknown word": (
        (HEAD + "constraints: {device: comsumer_gpu}\n").encode(),
        ("constraints.device", '"consumer_gpu"'),
    ),
    "near miss of a modality": (
        b'metagen_version: "1.0"\nname: x\nmodality: {inputs: [txet], outputs: [text]}\n',
        ("modality.inputs[0]", '"text"'),
    ),
    "duplicate key": ((HEAD + "name: again\n").encode(), ("bad.yaml:4:1", "name")),
    "unknown dimension": (
        (HEAD + "architecture: {dims: {n_layer: 3}}\n").encode(),
        ("architecture.dims.n_layer", '"n_layers"'),
    ),
    "alias bomb": (BOMB.encode(), ()),
    "deep nesting": ((HEAD + "training: " + "[" * 5000 + "]" * 5000).encode(), ()),
    "binary": (bytes(range(256)) * 40, ()),
    "utf-16": (HEAD.encode("utf-16"), ()),
    "python tag": ((HEAD + "description: !!python/name:os.system\n").encode(), ()),
    "huge number": ((HEAD + f"reproducibility: {{seed: {'9' * 5000}}}\n").encode(), ()),
    "large": ((HEAD + "description: " + "x" * 30_000_000).encode(), ()),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_bad_document_is_refused(name: str, metagen: Callable, tmp_path: Path) -> None:
    content, expected = DOCUMENTS[name]
    (tmp_path / "bad.yaml").write_bytes(content)
    done = metagen("synth", "bad.yaml", cwd=tmp_path)
    assert done.status == 2, done.err
    assert done.out == ""
    assert done.err.startswith("error: bad.yaml")
    assert "Traceback" not in done.err
    assert len(done.err) < 4000
    for fragment in expected:
        assert fragment in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]
    assert done.cpu < 1
    assert done.peak < 200e6


@pytest.mark.parametrize("command", ["synth", "paper", "validate", "estimate"])
def test_every_command_refuses_alike(command: str, metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(HEAD + "colour: red\n")
    done = metagen(command, "bad.yaml", cwd=tmp_path)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: bad.yaml:4:1  colour: ")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


@pytest.mark.parametrize("name", ["absent.yaml", "folder", "text_llm_9b", "a\nb", "\x1b[31mred"])
def test_a_document_that_is_not_there(name: str, metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    done = metagen("validate", name, cwd=tmp_path)
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err and "\x1b" not in done.err


def test_a_misremembered_example_is_suggested(metagen: Callable, tmp_path: Path) -> None:
    done = metagen("validate", "text_llm_9b", cwd=tmp_path)
    assert "text_llm_8b" in done.err


def test_an_unreadable_file(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    done = metagen("validate", "loop.yaml", cwd=tmp_path)
    assert done.status == 2
    assert done.err.startswith("error: ") and "Traceback" not in done.err


def test_all_errors_of_all_files_in_one_run(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(HEAD + "colour: red\nconstraints: {device: toaster}\n")
    (tmp_path / "two.yaml").write_text(HEAD)
    (tmp_path / "three.yaml").write_text("[]")
    done = metagen("validate", "one.yaml", "two.yaml", "three.yaml", cwd=tmp_path)
    assert done.status == 2
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert [line.split()[1].split(":")[0] for line in errors] == ["one.yaml"] * 2 + ["three.yaml"]
    assert "valid: two.yaml" in done.err


def test_standard_input(metagen: Callable, tmp_path: Path) -> None:
    good = metagen("validate", "-", cwd=tmp_path, stdin=HEAD.encode())
    assert (good.status, good.out) == (0, "")
    bad = metagen("validate", "-", cwd=tmp_path, stdin=b"colour: red\n")
    assert bad.status == 2
    assert "error: <stdin>:1:1  colour: " in bad.err


USAGE = {
    "no such command": ["synthesise"],
    "no such option": ["synth", "text_llm_8b", "--fast"],
    "no spec": ["synth"],
    "seed": ["synth", "text_llm_8b", "--seed", "many"],
    "negative seed": ["synth", "text_llm_8b", "--seed", "-1"],
    "huge seed": ["estimate", "text_llm_8b", "--seed", str(2**63)],
    "voice": ["synth", "text_llm_8b", "--voice", "loud"],
    "license": ["synth", "text_llm_8b", "--license", "WTFPL"],
    "package": ["synth", "text_llm_8b", "--package", "class"],
    "author": ["synth", "text_llm_8b", "--author", "two\nlines"],
    "run id up": ["synth", "text_llm_8b", "--run-id", "../up"],
    "run id absolute": ["synth", "text_llm_8b", "--run-id", "/up"],
    "run id nested": ["synth", "text_llm_8b", "--run-id", "a/b"],
    "run id dots": ["synth", "text_llm_8b", "--run-id", ".."],
    "run id empty": ["synth", "text_llm_8b", "--run-id", ""],
    "run id control": ["synth", "text_llm_8b", "--run-id", "a\nb"],
    "run id option": ["synth", "text_llm_8b", "--run-id", "-rf"],
    "run id long": ["synth", "text_llm_8b", "--run-id", "x" * 300],
}


@pytest.mark.parametrize("name", USAGE)
def test_a_bad_command_line_is_refused(name: str, metagen: Callable, tmp_path: Path) -> None:
    done = metagen(*USAGE[name], cwd=tmp_path)
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []
