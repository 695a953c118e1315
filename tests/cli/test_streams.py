"""What goes to which stream, in which colours, and with which exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pexpect
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("synth", "demo", "paper", "schema", "validate", "estimate", "update")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
TASTE = (
    'metagen_version: "1.0"\nname: "supper"\nmodality: {inputs: ["taste"], outputs: ["text"]}\n'
    "constraints: {parameter_budget: {max: 2M}, context_window: 2k}\n"
)


def terminal(*arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """What `metagen` shows on a pseudo-terminal."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", **(env or {})}
    shown = pexpect.run(
        " ".join([sys.executable, "-m", "metagen", *arguments]),
        env=environment, cwd=cwd, timeout=60, encoding="utf-8",
    )  # fmt: skip
    return shown.replace("\r\n", "\n")


def test_help_names_every_command(metagen: Callable) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        done = metagen(*arguments)
        assert (done.status, done.err) == (0, "")
        listed = done.out.split("Commands:")[1]
        assert re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE) == list(COMMANDS)
        assert "..." not in listed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, metagen: Callable) -> None:
    done = metagen(command, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: metagen {command} ")


def test_version(metagen: Callable) -> None:
    import metagen as package

    assert metagen("--version").out == f"metagen {package.__version__}\n"


def test_schema_is_data_and_accepts_the_examples(metagen: Callable) -> None:
    done = metagen("schema")
    assert (done.status, done.err) == (0, "")
    schema = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    examples = sorted((ROOT / "examples" / "specs").rglob("*.yaml"))
    assert examples
    for example in examples:
        validator.validate(yaml.safe_load(example.read_text(encoding="utf-8")))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"metagen_version": "1.0", "name": "x", "colour": "red"})


def test_estimate_prints_numbers_on_stdout_and_writes_nothing(
    metagen: Callable, tmp_path: Path
) -> None:
    done = metagen("estimate", "text_llm_8b", cwd=tmp_path)
    assert done.status == 0
    for word in ("parameters", "peak memory", "computed", "estimated", "parameter_budget"):
        assert word in done.out
    assert "simulated" not in done.out
    assert list(tmp_path.iterdir()) == []


def test_estimate_json_agrees_with_the_plan(metagen: Callable, tmp_path: Path) -> None:
    from metagen import load_spec, plan

    done = metagen("estimate", "text_llm_8b", "--json", cwd=tmp_path)
    document = json.loads(done.out)
    release = plan(load_spec("text_llm_8b"))
    assert document["figures"]["total_params"]["value"] == release.figures["total_params"].value
    assert document["figures"]["total_params"]["text"] == release.figures["total_params"].text
    assert {figure["provenance"] for figure in document["figures"].values()} <= {
        "computed",
        "estimated",
    }
    asked = [row["constraint"] for row in document["feasibility"]]
    assert "parameter_budget" in asked and "memory_budget" in asked
    assert document["spec_id"] == release.spec_id


def test_warnings_go_to_stderr_and_do_not_refuse(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "supper.yaml").write_text(TASTE)
    done = metagen("validate", "supper.yaml", cwd=tmp_path)
    assert (done.status, done.out) == (0, "")
    warning, *_ = done.err.splitlines()
    assert warning.startswith("warning: supper.yaml  modality.inputs")
    assert "taste" in warning
    data = metagen("estimate", "supper.yaml", "--json", cwd=tmp_path)
    assert any("taste" in note["message"] for note in json.loads(data.out)["notes"])
    assert "warning: " in data.err


def test_colour_on_a_terminal_only() -> None:
    refused = terminal("validate", "absent.yaml")
    assert "\x1b[1;31merror:\x1b[0m absent.yaml" in refused
    assert "\x1b[1;32mvalid:\x1b[0m" in terminal("validate", "edge_tiny_agent")
    assert not ESCAPE.search(terminal("validate", "absent.yaml", env={"NO_COLOR": "1"}))
    assert not ESCAPE.search(terminal("estimate", "edge_tiny_agent", env={"NO_COLOR": "1"}))
    assert not ESCAPE.search(terminal("validate", "absent.yaml", env={"TERM": "dumb"}))


def test_no_colour_on_a_pipe_unless_forced(metagen: Callable) -> None:
    assert "\x1b" not in metagen("validate", "absent.yaml").err
    assert "\x1b[1;31m" in metagen("validate", "absent.yaml", env={"FORCE_COLOR": "1"}).err
    assert "\x1b" not in metagen("estimate", "edge_tiny_agent").out


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_tables_fit_the_terminal(columns: str, metagen: Callable) -> None:
    done = metagen("estimate", "text_llm_8b", env={"COLUMNS": columns})
    assert done.status == 0
    assert max(map(len, done.out.splitlines())) <= int(columns)


def test_a_name_cannot_speak_to_the_terminal(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "rude.yaml").write_text(
        TASTE.replace("supper", "a[red]b").replace("taste", "text"), encoding="utf-8"
    )
    done = metagen("estimate", "rude.yaml", cwd=tmp_path, env={"FORCE_COLOR": "1"})
    assert "a[red]b" in done.out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_output_encoding(encoding: str, metagen: Callable) -> None:
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    shown = metagen("estimate", "text_llm_8b", env=env)
    assert (shown.status, "Traceback" in shown.err) == (0, False)
    data = metagen("schema", env=env)
    assert json.loads(data.out) == json.loads(metagen("schema").out)


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    shell = f"{sys.executable} -m metagen schema | head -n 1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.parametrize("later", [0.0, 0.1, 0.3])
def test_interrupting_leaves_nothing_behind(later: float, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "metagen", "synth", "text_llm_8b", "--run-id", "run"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and not (tmp_path / "outputs").exists():
        time.sleep(0.01)
    time.sleep(later)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    # Python ends by the signal itself where it struck inside an exec; shells call both 130.
    assert process.returncode in (130, -signal.SIGINT), err
    assert (out, "Traceback" in err) == ("", False)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_in_a_destructor_is_not_lost() -> None:
    """Python only reports what a destructor raises, and goes on."""
    script = """if True:
        import signal, sys, time
        from metagen import cli

        class Owner:
            def __del__(self):
                signal.raise_signal(signal.SIGINT)

        def app(**options):
            Owner()
            time.sleep(20)

        cli.app = app
        cli.main()
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted: nothing was written\n"


@pytest.mark.parametrize(
    ("arguments", "limit"), [(["--help"], 0.5), (["validate", "text_llm_8b"], 0.6)]
)
def test_start_up_time(arguments: list[str], limit: float, metagen: Callable) -> None:
    assert min(metagen(*arguments).cpu for _ in range(3)) < limit


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        (["--help"], {"rich", "pydantic", "yaml", "copier", "matplotlib"}),
        (["validate", "edge_tiny_agent"], {"rich", "copier", "jinja2", "matplotlib"}),
        (["estimate", "edge_tiny_agent"], {"copier", "jinja2", "matplotlib"}),
    ],
)
def test_imports_wait_for_use(command: list[str], absent: set[str]) -> None:
    script = (
        "import sys\nfrom metagen.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('modules:', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True)
    modules = set(done.stderr.split("modules:")[1].split())
    assert "metagen.cli" in modules
    assert not absent & modules
