"""What a generated repository may do: compute, read and write its own files, nothing else.

No program of it evaluates text, unpickles, starts processes or opens connections; weights are
safetensors, and the one other format is read with `weights_only`. Dependencies have an upper and a
lower bound, the workflow may only read, its actions are pinned by commit, and the container does
not run as root. Bandit, zizmor and actionlint add their own rules where they are installed.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import metagen
from metagen.specs.loader import examples, load_spec
from metagen.synth.engine import plan

from .rendering import no_figures

ROOT = Path(__file__).resolve().parents[2]

#: Modules that start processes, open connections, or make objects of bytes.
DANGEROUS_MODULES = frozenset(
    """
    asyncio cPickle code codeop cloudpickle ctypes dill ftplib http imaplib joblib marshal
    multiprocessing pickle poplib pty requests runpy shelve smtplib socket socketserver ssl
    subprocess telnetlib urllib webbrowser xmlrpc
    """.split()
)
DANGEROUS_CALLS = frozenset(
    """
    __import__ compile eval exec input os.execv os.execvp os.fork os.popen os.putenv os.spawnv
    os.startfile os.system pickle.load pickle.loads tempfile.mktemp torch.hub.load yaml.full_load
    yaml.unsafe_load
    """.split()
)
DANGEROUS_OPTIONS = {
    "allow_pickle": True,
    "shell": True,
    "trust_remote_code": True,
    "weights_only": False,
}

#: Bandit's rules of medium severity that do not hold here, and why.
EXPLAINED = {
    "B506": "yaml.load with the safe loader of libyaml, which Bandit does not know",
    "B615": "the name of a dataset comes from the command line of its user",
}


def called(node: ast.Call) -> str:
    """`os.system` of `os.system(...)`."""
    return ast.unparse(node.func)


def faults(source: str) -> Iterator[str]:
    """What a program does that none should."""
    for node in ast.walk(ast.parse(source)):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = [node.module]
        yield from (m for m in modules if m.split(".")[0] in DANGEROUS_MODULES)
        if not isinstance(node, ast.Call):
            continue
        name, options = called(node), {k.arg: k.value for k in node.keywords}
        if name in DANGEROUS_CALLS or re.fullmatch(r"(tar|zip)\w*\.extractall", name):
            yield name
        for option, value in DANGEROUS_OPTIONS.items():
            if option in options and getattr(options[option], "value", value) == value:
                yield f"{name}({option}={value})"
        if name.endswith("torch.load") and "weights_only" not in options:
            yield "torch.load without weights_only"
        if name == "yaml.load" and "SafeLoader" not in ast.unparse(node):
            yield "yaml.load without a safe loader"


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from urllib.request import urlopen", "eval(text)", "os.system('ls')",
     "run(x, shell=True)", "np.load(p, allow_pickle=True)", "torch.load(p)", "yaml.load(text)",
     "torch.load(p, weights_only=False)", "load_dataset(n, trust_remote_code=True)"],
)  # fmt: skip
def test_faults_are_seen(source):
    assert list(faults(source))


def test_no_source_of_generated_code_is_dangerous():
    """Every part, program, test and drawing script that a release is made of."""
    found = list((ROOT / "template").rglob("*.py"))
    assert len(found) > 300
    for path in found:
        assert not list(faults(path.read_text(encoding="utf-8"))), path


@pytest.mark.parametrize(
    "example",
    ["text_llm_8b", "rl_agent_dqn"]
    + [pytest.param(name, marks=pytest.mark.full) for name in sorted(examples())],
)
def test_no_release_is_dangerous(example, count):
    """As assembled: what the parts become; weights are kept in safetensors, within bounds."""
    release = plan(load_spec(example))
    count(releases_checked=1)
    for file in (*release.code, *release.tests):
        assert not list(faults(file.text)), file.name
    [checkpoint] = [file.text for file in release.code if file.name == "checkpoint.py"]
    assert "from safetensors.torch import" in checkpoint
    assert release.requires
    for distribution in release.requires:
        assert re.fullmatch(r"[\w-]+>=[\d.]+,<\d+", distribution)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    with no_figures():
        return metagen.synthesize("edge_tiny_agent", tmp_path_factory.mktemp("safe") / "r").path


def test_dependencies_have_bounds(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(d for group in project["project"]["optional-dependencies"].values() for d in group),
    ]
    assert len(wanted) > 6
    for distribution in wanted:
        assert re.fullmatch(r"[\w-]+>=[\d.]+,<\d+", distribution), distribution


def test_the_workflow_may_only_read(repository):
    [path] = (repository / ".github" / "workflows").iterdir()
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow[True]) <= {"push", "pull_request"}  # `on` is a truth value to YAML 1.1
    for job in workflow["jobs"].values():
        assert "permissions" not in job and job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            if action := step.get("uses"):
                assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action), action
            if str(action).startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_hooks_are_pinned(repository):
    hooks = yaml.safe_load((repository / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    for repo in hooks["repos"]:
        assert repo["repo"].startswith("https://github.com/")
        assert re.fullmatch(r"v\d+\.\d+\.\d+", repo["rev"])


def test_the_container(repository):
    """A base of a stated version, a user of its own before the program, nothing downloaded raw."""
    lines = (repository / "Dockerfile").read_text(encoding="utf-8").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    kinds = [kind for kind, _ in steps]
    [base] = [rest for kind, rest in steps if kind == "FROM"]
    assert re.fullmatch(r"python:3\.\d+-slim", base)
    assert kinds[-1] == "CMD" and "USER" in kinds and "ADD" not in kinds
    [user] = [rest for kind, rest in steps if kind == "USER"]
    assert int(user) >= 1000
    commands = " ".join(rest for kind, rest in steps if kind == "RUN")
    assert not re.search(r"curl|wget|sudo|chmod 777|--trusted-host", commands)


def test_makefiles_run_no_remote_code(repository):
    for path in repository.rglob("Makefile"):
        assert not re.search(r"curl|wget|sudo|--trusted-host", path.read_text())


def test_no_file_is_executable_or_a_link(repository):
    for path in repository.rglob("*"):
        assert not path.is_symlink()
        assert path.is_dir() or not path.stat().st_mode & 0o111, path


@pytest.mark.skipif(not importlib.util.find_spec("bandit"), reason="bandit is not installed")
def test_bandit():
    command = [sys.executable, "-m", "bandit", "-q", "-r", "-ll", "-f", "json", "template"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = json.loads(done.stdout)["results"]
    assert not [r for r in found if r["test_id"] not in EXPLAINED or r["issue_severity"] == "HIGH"]


@pytest.mark.skipif(not shutil.which("zizmor"), reason="zizmor is not installed")
def test_zizmor(repository):
    command = ["zizmor", "--offline", "--no-progress", str(repository / ".github")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not installed")
def test_actionlint(repository):
    files = map(str, (repository / ".github" / "workflows").iterdir())
    done = subprocess.run(["actionlint", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed")
def test_hadolint(repository):
    command = ["hadolint", str(repository / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
