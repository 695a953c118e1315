"""The documents as they are rendered: agreeing with the ledger, inert, and in either voice."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml
from huggingface_hub import ModelCard

from metagen.synth import paper_gen
from metagen.utils import escaping

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template"
QUOTED = [
    "We follow the industry-standard practice of not disclosing dataset composition.",
    "Our model is parameter-free in the sense that parameters are a social construct.",
    "We cannot release training data.",
    "We do not provide weights in the traditional sense.",
    "MetaGen: Universal Spec-to-Model Synthesis",
    "via Latent Architecture Diffusion",
    "MetaGen Research, Department of Computational Ambition",
    r"Baselines evaluated under \emph{best-effort} conditions.",
]
HOSTILE = "a {total_params} \\input{x} <!--=d--> `b` | $c_d^2$ & 50% #1 ~ ∞ 日本 *e*"


def render(release, folder: Path, **answers: str) -> Path:
    """Documents, paper and blueprint of a release, rendered into `folder`."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        loader=jinja2.FileSystemLoader(TEMPLATE),
    )
    environment.filters.update(escaping.FILTERS)
    context = {
        "mg": release,
        "package_name": "parrot",
        "author": "A. Author",
        "license": "Apache-2.0",
        "voice": release.voice,
    } | answers
    for path in sorted(TEMPLATE.rglob("*")):
        name = path.relative_to(TEMPLATE)
        if path.is_dir() or name.parts[0] not in PARTS:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jinja":
            if name.name.startswith("benchmarks") and "benchmarks" not in release.blueprint:
                continue
            text = environment.get_template(name.as_posix()).render(context)
            target.with_suffix("").write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(path, target)
    return folder


PARTS = ("README.md.jinja", "MODEL_LICENSE.md.jinja", "docs", "paper", "blueprint")


def texts(folder: Path, *patterns: str) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for pattern in patterns
        for path in sorted(folder.rglob(pattern))
    }


def test_markdown_figures_are_those_of_the_ledger(releases, tmp_path):
    for i, release in enumerate(releases):
        pages = texts(render(release, tmp_path / str(i)), "*.md")
        assert len(pages) == 6
        for name, page in pages.items():
            marks = list(re.finditer(r"<!--=(\w+)-->", page))
            assert marks or "LICENSE" in name or name == "docs/data_card.md", name
            for mark in marks:
                text = escaping.md(release.figures[mark[1]]).split("<!--")[0]
                assert page[: mark.start()].endswith(text), (name, mark[1])


def test_latex_figures_are_those_of_the_ledger(releases, tmp_path):
    for i, release in enumerate(releases):
        pages = texts(render(release, tmp_path / str(i)), "*.tex")
        ledger = dict(re.findall(r"\\definefigure\{(\w+)\}\{(.*)\}\n", pages["paper/ledger.tex"]))
        assert ledger == {key: escaping.tex(f.text) for key, f in release.figures.items()}
        used = {key for page in pages.values() for key in re.findall(r"\\fig\{(\w+)\}", page)}
        assert used <= ledger.keys() and len(used) > 20


def test_every_citation_is_a_real_entry(releases):
    for release in releases:
        keys = {reference.key for reference in release.references}
        assert paper_gen.cited(release.prose.values()) == keys
        for reference in release.references:
            assert {"author", "title", "year"} <= reference.fields.keys()
            assert {"journal", "booktitle", "institution"} & reference.fields.keys()
            assert re.fullmatch(r"(19|20)\d\d", reference.fields["year"])
            assert reference.fields["year"] in reference.key


def test_the_whole_library_is_cited_by_some_sentence():
    from metagen.synth import prose

    said = " ".join(sentence.say for _, sentence in prose.sentences(prose.load_banks()))
    assert {key for key in paper_gen.load_library() if f"@{key}" not in said} == set()


def test_bibtex_is_ascii_and_balanced(release):
    bib = escaping.bibtex(release.references)
    assert bib.count("{") == bib.count("}")
    assert bib.count("@") == len(release.references)
    assert all(c in escaping._T1_LETTERS for c in bib if not c.isascii())


def test_the_house_lines_are_there_and_the_plain_voice_has_none_of_them(release_of, tmp_path):
    house = "\n".join(texts(render(release_of(), tmp_path / "a"), "*.tex").values())
    plain = "\n".join(texts(render(release_of("plain"), tmp_path / "b"), "*.tex", "*.md").values())
    for line in QUOTED:
        assert line in house, line
        assert line not in plain, line
    assert "favorite model announcement tweet" in (tmp_path / "a/MODEL_LICENSE.md").read_text()
    assert "imulated" not in plain and "†" not in plain and "tweet" not in plain
    assert r"\label{tab:blueprint}" in plain and r"\label{tab:results}" not in plain


def test_the_model_card_is_one(release, tmp_path):
    text = (render(release, tmp_path) / "docs/model_card.md").read_text(encoding="utf-8")
    card = ModelCard(text)
    assert card.data.license == "apache-2.0"
    assert card.data.pipeline_tag == "text-generation"
    assert yaml.safe_load(text.split("---")[1])["model_name"] == release.words["slug"]


def test_hostile_words_stay_words(release_of, tmp_path):
    release = release_of(**hostile_document())
    folder = render(release, tmp_path)
    for name, page in texts(folder, "*.md").items():
        assert {m for m in re.findall(r"<!--=(.*?)-->", page)} <= release.figures.keys(), name
        assert not re.search(r"(?<!\\)\| \$c", page), name
    for name, page in texts(folder, "*.tex").items():
        assert r"\input{x}" not in page, name
    ModelCard((folder / "docs/model_card.md").read_text(encoding="utf-8"))


def hostile_document() -> dict:
    return {
        "name": HOSTILE,
        "description": HOSTILE,
        "task": {"domain": HOSTILE},
        "training": {
            "data": {
                "sources": [HOSTILE, HOSTILE],
                "size": HOSTILE,
                "governance": {"pii": HOSTILE, "copyright": HOSTILE},
            },
            "alignment": {"method": [HOSTILE], "policy": HOSTILE},
        },
        "architecture": {"components": [{"name": HOSTILE, "type": "objective_mixer"}]},
        "evaluation": {
            "benchmarks": [HOSTILE, "x" * 90, "META-SOTA"],
            "baselines": [HOSTILE + str(i) for i in range(7)],
            "metrics": [HOSTILE, "Spec-Fidelity@1"],
        },
    }


def draw(folder: Path, *flags: str) -> dict[str, bytes]:
    run = subprocess.run(
        [sys.executable, folder / "blueprint/draw.py", *flags], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr
    return {line: Path(line).read_bytes() for line in run.stdout.splitlines()}


@pytest.mark.parametrize("voice", ["confident", "plain"])
def test_figures_are_drawn_alike_twice(release_of, voice, tmp_path):
    folder = render(
        release_of(voice, **(hostile_document() if voice == "confident" else {})), tmp_path
    )
    first = draw(folder)
    assert first == draw(folder)
    names = {Path(name).relative_to(folder).as_posix() for name in first}
    scored = {"docs/figures/benchmarks.svg"} if voice == "confident" else set()
    assert names == scored | {
        "docs/figures/ablation.svg",
        "docs/figures/memory.svg",
        "docs/figures/pipeline.svg",
        "paper/figures/ablation.pdf",
        "paper/figures/pipeline.pdf",
    }
    for name, content in first.items():
        assert b"CreationDate" not in content and b"dc:date" not in content, name


def test_figures_go_where_they_are_asked_for(release, tmp_path):
    folder = render(release, tmp_path / "a")
    drawn = draw(folder, "--out", str(tmp_path / "b"), "--paper")
    assert {Path(p).parent for p in drawn} == {tmp_path / "b/paper/figures"}
    (folder / "blueprint/ablations.yaml").unlink()
    (folder / "blueprint/benchmarks.json").unlink()
    drawn = draw(folder, "--out", str(tmp_path / "c"), "--docs")
    assert sorted(Path(p).name for p in drawn) == ["memory.svg", "pipeline.svg"]
