"""The documents as they are rendered: agreeing with the ledger, inert, and in either voice."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import jinja2
import pytest
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from metagen import load_spec, plan
from metagen.specs.loader import parse
from metagen.synth import paper_gen, prose, tables
from metagen.utils import escaping
from metagen.utils.filters import FILTERS

from .examples import PATHS, example
from .grammar import slips

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template"
#: Lines that a release in the house voice has to say, and where (with LaTeX's emphasis as
#: Markdown's).
QUOTED = {
    "We follow the industry-standard practice of not disclosing dataset composition.": (
        "paper/**/*.tex", "docs/data_card.md",
    ),
    "Our model is parameter-free in the sense that parameters are a social construct.": (
        "paper/**/*.tex",
    ),
    "We cannot release training data.": ("paper/**/*.tex", "docs/limitations.md"),
    "We do not provide weights in the traditional sense.": (
        "paper/**/*.tex", "docs/limitations.md",
    ),
    "Baselines evaluated under *best-effort* conditions.": (
        "paper/**/*.tex", "README.md", "docs/eval_report.md",
    ),
    "Simulated under seed": ("paper/**/*.tex", "README.md", "docs/eval_report.md"),
    "MetaGen: Universal Spec-to-Model Synthesis": ("paper/**/*.tex",),
    "via Latent Architecture Diffusion": ("paper/**/*.tex",),
    "MetaGen Research, Department of Computational Ambition": ("paper/**/*.tex",),
    "please also cite your favorite model announcement tweet.": ("MODEL_LICENSE.md",),
}  # fmt: skip
#: Examples whose rendered documents are read in the default run; `-m full` reads all of them.
READ = ("text_llm_8b", "image_diffusion_sdxl_like", "rl_agent_ppo", "taste_generation")
EVERY = [n if n in READ else pytest.param(n, marks=pytest.mark.full) for n in PATHS]
HOSTILE = "a {total_params} \\input{x} <!--=d--> `b` | $c_d^2$ & 50% #1 ~ ∞ 日本 *e*"


def render(release, folder: Path, **answers: str) -> Path:
    """Documents, paper and blueprint of a release, rendered into `folder`."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        loader=jinja2.FileSystemLoader(TEMPLATE),
    )
    environment.filters.update(FILTERS)
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


PARTS = (
    "README.md.jinja",
    "MODEL_LICENSE.md.jinja",
    "CITATION.cff.jinja",
    "spec_resolved.yaml.jinja",
    "docs",
    "paper",
    "blueprint",
)


def texts(folder: Path, *patterns: str) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for pattern in patterns
        for path in sorted(folder.rglob(pattern))
    }


def quoted(release, key: str):
    """What a mark names: a figure of the ledger, or how it was obtained."""
    name, _, method = key.partition(".")
    return tables.method_of(release.figures[name]) if method else release.figures[name]


def test_markdown_figures_are_those_of_the_ledger(releases, tmp_path):
    for i, release in enumerate(releases):
        pages = texts(render(release, tmp_path / str(i)), "*.md")
        assert len(pages) == 6
        for name, page in pages.items():
            marks = list(re.finditer(r"<!--=([\w.]+)-->", page))
            assert marks or "LICENSE" in name or name == "docs/data_card.md", name
            for mark in marks:
                text = escaping.md(quoted(release, mark[1])).split("<!--")[0]
                assert page[: mark.start()].endswith(text), (name, mark[1])


def test_latex_figures_are_those_of_the_ledger(releases, tmp_path):
    for i, release in enumerate(releases):
        pages = texts(render(release, tmp_path / str(i)), "*.tex")
        ledger = dict(
            re.findall(r"\\definefigure\{([\w.]+)\}\{(.*)\}\n", pages["paper/ledger.tex"])
        )
        assert ledger == {key: escaping.tex(quoted(release, key).text) for key in ledger}
        assert release.figures.keys() <= ledger.keys()
        used = {key for page in pages.values() for key in re.findall(r"\\fig\{([\w.]+)\}", page)}
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
    said = " ".join(sentence.say for _, sentence in prose.sentences(prose.load_banks()))
    assert {key for key in paper_gen.load_library() if f"@{key}" not in said} == set()


def test_bibtex_is_ascii_and_balanced(release):
    bib = escaping.bibtex(release.references)
    assert bib.count("{") == bib.count("}")
    assert bib.count("@") == len(release.references)
    assert all(c in escaping._T1_LETTERS for c in bib if not c.isascii())


def test_the_house_lines_are_there_and_the_plain_voice_has_none_of_them(release_of, tmp_path):
    render(release_of(), tmp_path / "a")
    plain = "\n".join(texts(render(release_of("plain"), tmp_path / "b"), "*.tex", "*.md").values())
    for line, places in QUOTED.items():
        for place in places:
            pages = (path.read_text(encoding="utf-8") for path in (tmp_path / "a").glob(place))
            said = re.sub(r"\\emph\{(.*?)\}", r"*\1*", " ".join(" ".join(pages).split()))
            assert line in said, (line, place)
        assert line not in plain, line
    assert "imulated" not in plain and "†" not in plain and "tweet" not in plain
    assert r"\label{tab:blueprint}" in plain and r"\label{tab:results}" not in plain


@pytest.mark.parametrize("voice", prose.VOICES)
@pytest.mark.parametrize("name", EVERY)
def test_markdown_renders_whole(name, voice, tmp_path):
    """Nothing but text, tables of equal rows and the ledger's marks; no slip in what is read."""
    parser = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    for page, text in texts(render(example(name, voice), tmp_path), "*.md").items():
        body = text.split("---\n", 2)[2] if text.startswith("---\n") else text
        lines = body.splitlines()
        for token in parser.parse(body):
            assert token.type != "html_block", (page, token.content)
            if token.type == "table_open":
                rows = lines[token.map[0] : token.map[1]]
                assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, (page, rows)
            children = token.children or ()
            for child in children:
                assert child.type != "html_inline" or re.fullmatch(r"<!--=[\w.]+-->", child.content)
            said = "".join(c.content for c in children if c.type in ("text", "text_special"))
            assert not slips(said, "hole", "doubled word", "a for an", "an for a"), page


@pytest.mark.parametrize("voice", prose.VOICES)
@pytest.mark.parametrize("name", EVERY)
def test_an_edited_description_changes_only_what_quotes_it(name, voice, tmp_path):
    stated, said = load_spec(PATHS[name]).stated, []
    for description in ("A thing of beauty", "Something else entirely"):
        release = plan(parse(stated | {"description": description}), voice=voice)
        pages = texts(render(release, tmp_path / description), "*.*")
        pages = {page: text.replace(release.spec_id, "<id>") for page, text in pages.items()}
        pages = {page: text.replace("\\ ", " ") for page, text in pages.items()}  # of a listing
        said.append({p: re.split(r"(?<=[.?!”])\s|\n", text) for p, text in pages.items()})
        assert any(description in text for text in pages.values())
    before, after = said
    assert before.keys() == after.keys()
    for page in before:
        assert len(before[page]) == len(after[page]), page
        for one, other in zip(before[page], after[page], strict=True):
            edited = one.replace("A thing of beauty", "Something else entirely")
            assert other in (one, edited), page


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
        for key in re.findall(r"<!--=(.*?)-->", page):
            assert quoted(release, key), name
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
