"""The paper as a PDF: of every kind of model, in both voices, whatever its author wrote."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from metagen import scaffold
from metagen.specs.fields import LONGEST_NAME
from metagen.specs.loader import examples, load_spec
from metagen.synth import paper_gen, prose
from metagen.utils import escaping

from ..survival.hostile import OWNED, SECRET, Marked, poisoned

pytestmark = pytest.mark.latex

CALM = ("text_llm_8b", "image_diffusion_sdxl_like", "rl_agent_ppo", "taste_generation",
        "infinite_context", "multimodal_clip")  # fmt: skip
ATTACKED = ("text_moe", "image_classifier_vit", "audio_musicgen_like", "video_realtime_avatar",
            "3d_text_to_mesh", "time_series_forecaster", "graph_classifier_gat",
            "tabular_classifier", "recommender_two_tower")  # fmt: skip
VOICES = itertools.cycle(prose.VOICES)
SAMPLE = [(name, next(VOICES), 0) for name in CALM]
SAMPLE += [(name, next(VOICES), 7000 + i) for i, name in enumerate(ATTACKED)]
WHOLE = [(name, next(VOICES), 0) for name in sorted(examples())]
WHOLE = [case for case in WHOLE if case not in SAMPLE]
WHOLE += [(name, next(VOICES), 8000 + i) for i, name in enumerate((sorted(examples()) * 2)[:100])]


def write(folder: Path, example: str, voice: str, attack: int) -> Path:
    """The paper of an example in `folder`; with an attack, every free text of it is one."""
    document: Any = load_spec(example)
    author = "A. Author"
    if attack:
        marked = Marked(attack)
        document = poisoned(document.stated, marked)
        author = "".join(filter(str.isprintable, escaping.visible(marked(120))))[:200]
        if attack % 3 == 0:
            document["name"] = document["name"].ljust(LONGEST_NAME, "W")
    made = scaffold.paper(document, folder, author=author, voice=voice)
    assert not made.note
    return folder


def make(paper: Path, **env: str) -> str:
    """Run `make pdf` as the README says, and return LaTeX's log; a failure shows its end."""
    done = subprocess.run(
        ["make", "-C", str(paper), "pdf"],
        env={**os.environ, **env}, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    log = paper / "main.log"
    shown = log.read_text(encoding="latin-1")[-2500:] if log.exists() else done.stderr
    assert done.returncode == 0, shown
    return log.read_text(encoding="latin-1")


def complaints(log: str) -> list[str]:
    """What a log says against a paper: everything but boxes that nobody sees are too full."""
    wanted = (
        r"undefined|Missing character|multiply defined|Rerun to|No file|Float too large|Font Warn"
    )
    found = [line for line in log.splitlines() if re.search(wanted, line)]
    boxes = re.findall(r"Overfull \\[hv]box \(([\d.]+)pt.*", log)
    return found + [f"overfull by {points}pt" for points in boxes if float(points) > 10]


@pytest.mark.parametrize(
    ("example", "voice", "attack"),
    SAMPLE + [pytest.param(*case, marks=pytest.mark.full) for case in WHOLE],
)
def test_every_paper_compiles(example, voice, attack, tmp_path, monkeypatch):
    """Without a complaint, from its own files alone, citing what it lists in fonts of outlines."""
    monkeypatch.setenv(SECRET, "betrayed-7f3a")
    paper = write(tmp_path / "paper", example, voice, attack)
    log = make(paper)
    assert not complaints(log) and os.environ[SECRET] not in log
    bibliography = (paper / "bibliography.bib").read_text(encoding="utf-8")
    entries = re.findall(r"^@\w+\{(\w+),", bibliography, re.MULTILINE)
    listed = re.findall(r"^\\bibitem.*?\]\{(\w+)\}", (paper / "main.bbl").read_text(), re.S | re.M)
    assert sorted(listed) == entries and len(entries) > 10
    read = re.findall(r"^INPUT (.*)$", (paper / "main.fls").read_text(), re.MULTILINE)
    assert {name for name in read if name.startswith("/") and "/tex" not in name} == set()
    assert not list(tmp_path.rglob(OWNED))
    run = ["pdffonts", str(paper / "main.pdf")]
    fonts = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()[2:]
    assert fonts and all("Type 1 " in font for font in fonts), fonts


def test_a_paper_is_a_function_of_its_sources(tmp_path):
    """The same bytes in another folder, time zone and language; other ones once there is more."""
    first = write(tmp_path / "a", "edge_tiny_agent", "confident", 0)
    second = Path(shutil.copytree(first, tmp_path / "somewhere else" / "b"))
    make(first, TZ="Pacific/Kiritimati", LC_ALL="C")
    make(second, TZ="America/Adak", LC_ALL="C.UTF-8", SOURCE_DATE_EPOCH="86400")
    pdf = (first / "main.pdf").read_bytes()
    assert (second / "main.pdf").read_bytes() == pdf
    assert b"CreationDate" not in pdf and str(tmp_path).encode() not in pdf

    measured = r"\begin{table}[ht]\caption{Loss, measured.}A & B\end{table}".replace("&", r"\&")
    (second / "measured.tex").write_text(measured, encoding="utf-8")
    shutil.copyfile(second / "figures/ablation.pdf", second / "figures/roofline.pdf")
    log = make(second)
    assert not complaints(log)
    read = log.replace("\n", "")  # its lines break anywhere
    assert "(./measured.tex" in read and "<./figures/roofline.pdf" in read
    assert (second / "main.pdf").read_bytes() != pdf


def test_the_appendix_has_every_module(tmp_path):
    """Shapes and parameters of each row are those of the tensors that it stands for."""
    release = scaffold.paper("audio_codec", tmp_path / "paper").release
    tensors = release.blueprint["state_dict"]["tensors"]
    rows = paper_gen.grouped_modules(tensors)
    leaf = re.compile(r"\.(weight|bias|parametrizations\.weight\.original[01])$")
    modules = {leaf.sub("", name) for name in tensors}
    assert sum(copies for _, copies, _, _ in rows) == len(modules) > len(rows)
    assert sum(params for *_, params in rows) == release.figures["total_params_exact"].value
    for name, copies, shapes, params in rows:
        pattern = re.compile(re.escape(name).replace(r"\*", r"\d+"))
        members = {module for module in modules if pattern.fullmatch(module)}
        assert len(members) == copies, name
        for member in members:
            held = [tensors[t] for t in tensors if leaf.sub("", t) == member]
            assert tuple(tuple(tensor["shape"]) for tensor in held) == shapes
        assert params % copies == 0
    printed = (tmp_path / "paper/modules.tex").read_text(encoding="utf-8").splitlines()
    assert len(printed) == len(rows)
    names = [
        re.match(r"\\texttt\{(.*?)\} & ", row.replace(r"\allowbreak{}", "")) for row in printed
    ]
    assert [name[1].replace(r"\_", "_") for name in names] == [name for name, *_ in rows]


def test_buffers_and_aliases_count_nothing():
    tensor = {"shape": [2, 3], "kind": "parameter", "tied_to": None}
    tensors = {
        "embed.weight": tensor,
        "blocks.0.norm.weight": tensor | {"shape": [3]},
        "blocks.0.norm.bias": tensor | {"shape": [3]},
        "blocks.1.norm.weight": tensor | {"shape": [3]},
        "blocks.1.norm.bias": tensor | {"shape": [3]},
        "blocks.1.conv2.weight": tensor,
        "steps": tensor | {"shape": [], "kind": "buffer"},
        "head.weight": tensor | {"tied_to": "embed.weight"},
    }
    assert paper_gen.grouped_modules(tensors) == [
        ("embed", 1, ((2, 3),), 6),
        ("blocks.*.norm", 2, ((3,), (3,)), 12),
        ("blocks.1.conv2", 1, ((2, 3),), 6),
        ("steps", 1, ((),), 0),
        ("head", 1, ((2, 3),), 0),
    ]
