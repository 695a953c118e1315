"""What Copier's door says, and how the engine is loaded behind it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import copier
import jinja2
import pytest
from copier.errors import UserMessageError

import metagen
from metagen import copier_hook
from metagen.copier_hook import code_cache, load_engine

COPIER = Path(sys.executable).with_name("copier")


def run_copier(*arguments, cwd):
    return subprocess.run(
        [str(COPIER), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"nmae": "x"}, 'did you mean "name"'),
        ({"q_device": "toaster"}, '"toaster" is not a device'),
        ({"constraints": {"parameter_budget": "20 bananas"}}, "is not a quantity"),
        ({"constraints": {"parameter_budget": "3"}}, "parameter_budget"),
        ({"package_name": "torch"}, "would hide another module"),
        ({"spec": "spec.yaml"}, "is not a question"),
        ({"spec": {"name": 1}}, "metagen_version"),
    ],
)
def test_refusals(template, tmp_path, data, message):
    with pytest.raises(UserMessageError, match=message):
        template.copy(tmp_path / "repository", data)
    assert list(tmp_path.iterdir()) == []


def test_refusal_on_the_command_line(template, tmp_path):
    (tmp_path / "spec.yaml").write_text("name: x\nconstraints: {device: toaster}\n")
    done = run_copier(
        "copy", "--trust", "--defaults", "--data-file", "spec.yaml", template.path, "new",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "constraints.device" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_without_trust(template, tmp_path):
    done = run_copier("copy", "--defaults", template.path, "new", cwd=tmp_path)
    assert done.returncode == 4
    assert not (tmp_path / "new").exists()


def test_next_commands(template, tmp_path):
    """At most six lines, on stderr; the folder is quoted for a shell."""
    done = run_copier("copy", "--trust", "--defaults", template.path, "new model", cwd=tmp_path)
    assert done.returncode == 0
    closing = done.stderr.split("\nNext:\n")[1].strip("\n").splitlines()
    assert len([line for line in closing if line.strip()]) <= 6
    assert "cd 'new model'" in closing[0]


def test_equal_checkouts_share_an_engine(tmp_path):
    engine = shutil.copytree(
        copier_hook.HOME, tmp_path / "src" / "metagen", ignore=shutil.ignore_patterns("__pycache__")
    )
    one = load_engine(engine)
    (engine / "__pycache__").mkdir(exist_ok=True)
    (engine / "__pycache__" / "answers.cpython-399.pyc").write_bytes(b"compiled meanwhile")
    assert load_engine(engine) is one
    assert one.__name__.startswith("metagen_") and one is not metagen
    twin = Path(shutil.copytree(tmp_path / "src", tmp_path / "twin" / "src")) / "metagen"
    assert load_engine(twin) is one
    (engine / "__init__.py").write_text('__version__ = "other"\n')
    other = load_engine(engine)
    assert (other.__version__, one.__version__) == ("other", metagen.__version__)


def test_engine_of_a_vanished_checkout_is_loaded_again(tmp_path):
    for name in ("one", "two"):
        shutil.copytree(
            copier_hook.HOME, tmp_path / name / "src" / "metagen",
            ignore=shutil.ignore_patterns("__pycache__"),
        )  # fmt: skip
        (tmp_path / name / "src" / "metagen" / "extra.py").write_text(f"# {tmp_path}")
    one = load_engine(tmp_path / "one" / "src" / "metagen")
    import_module(f"{one.__name__}.answers")
    shutil.rmtree(tmp_path / "one")
    two = load_engine(tmp_path / "two" / "src" / "metagen")
    assert two is not one
    for module in (two, import_module(f"{two.__name__}.answers")):
        assert Path(module.__file__).is_relative_to(tmp_path / "two")


@pytest.mark.parametrize("folder", ["_parts", "_programs"])
def test_parts_are_part_of_the_engine(folder, tmp_path):
    """The engine assembles code from the template beside it: equal code alone is not equal."""
    engine = tmp_path / "src" / "metagen"
    shutil.copytree(copier_hook.HOME, engine, ignore=shutil.ignore_patterns("__pycache__"))
    parts = tmp_path / "template" / folder
    parts.mkdir(parents=True)
    one = load_engine(engine)
    (parts / "mlp.py").write_text("# another one\n")
    assert load_engine(engine) is not one


def test_compiled_templates_are_found_again(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))

    def render(engine, text):
        loader = jinja2.DictLoader({"a": text})
        environment = jinja2.Environment(loader=loader, bytecode_cache=code_cache(engine))
        return environment.get_template("a").render(), environment.bytecode_cache

    assert render(metagen, "{{ 6 * 7 }}")[0] == "42"
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(stored) == 1
    assert render(metagen, "{{ 6 * 7 }}")[0] == "42"
    assert render(metagen, "{{ 6 * 8 }}")[0] == "48"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


@pytest.mark.skipif(os.name == "nt", reason="Unix permissions")
def test_no_cache_is_no_failure(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "nowhere"))
    assert code_cache(metagen) is None
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"a": "x"}), bytecode_cache=code_cache(metagen)
    )
    shutil.rmtree(environment.bytecode_cache.directory)
    assert environment.get_template("a").render() == "x"


def test_no_files_are_added_to_a_checkout(full_template, tmp_path):
    """Copier renders from a clone; a plain folder must stay as it is too."""
    plain = shutil.copytree(
        full_template.path, tmp_path / "plain", ignore=shutil.ignore_patterns(".git")
    )
    before = sorted(path for path in plain.rglob("*") if "__pycache__" not in path.parts)
    copier.run_copy(str(plain), tmp_path / "new", defaults=True, unsafe=True, quiet=True)
    after = sorted(path for path in plain.rglob("*") if "__pycache__" not in path.parts)
    assert before == after
