"""The language and the template move on: old documents and old repositories come along."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from metagen import load_spec, scaffold
from metagen.specs import upgrades
from metagen.specs.vocabulary import VERSION

from ..template.conftest import Template, commit, start
from .conftest import NEXT, copy, update
from .scenarios import TEXT

ENGINE = "src/metagen/specs"
STEP = """{
    "1.0": Step("1.1", "purpose is called description", lambda d: _described(d)),
}


def _described(document: dict[str, Any]) -> dict[str, Any]:
    return {("description" if key == "purpose" else key): document[key] for key in document}
"""


@pytest.fixture
def chain(monkeypatch):
    """Two steps, from 0.8 over 0.9 to the present version."""

    def named(document):
        return {("name" if key == "title" else key): value for key, value in document.items()}

    def listed(document):
        modality = {key: str(value).split("+") for key, value in document["modality"].items()}
        return document | {"modality": modality}

    found = {
        "0.8": upgrades.Step("0.9", "title is called name", named),
        "0.9": upgrades.Step("1.0", "modalities are lists", listed),
    }
    monkeypatch.setattr(upgrades, "STEPS", found)


OLD = {
    "metagen_version": 0.8,
    "title": "x",
    "modality": {"inputs": "text+image", "outputs": "text"},
}


def test_step_by_step(chain):
    spec = load_spec(OLD)
    assert spec.stated == {
        "metagen_version": "1.0",
        "name": "x",
        "modality": {"inputs": ["text", "image"], "outputs": ["text"]},
    }
    assert spec.upgrades == (
        "read as MSL 0.9 (it says 0.8): title is called name",
        "read as MSL 1.0 (it says 0.8): modalities are lists",
    )
    assert OLD["metagen_version"] == 0.8, "the author's data is not changed"
    assert load_spec(spec.stated).upgrades == ()
    assert upgrades.upgraded(spec.stated) == spec.stated


def test_every_former_version_leads_here():
    """A table of steps has no gaps, and no step starts from the present version."""
    (present,) = VERSION.words
    for version in upgrades.STEPS:
        assert version != present
        assert upgrades.steps(version)[-1].to == present


@pytest.fixture
def later(versions: Template, tmp_path: Path) -> Template:
    """A template of MSL 1.1, in which an answer has another name too."""
    made = Template(Path(shutil.copytree(versions.path, tmp_path / "later", symlinks=True)))
    made.edit(f"{ENGINE}/vocabulary.py", '{"1.0": "the first"}, {"1": "1.0"}', '{"1.1": "two"}')
    made.edit(
        f"{ENGINE}/upgrades.py",
        "STEPS: Mapping[str, Step] = {}\n",
        f"STEPS: Mapping[str, Step] = {STEP}",
    )
    made.edit("src/metagen/answers.py", '"metagen_version": "1.0"', '"metagen_version": "1.1"')
    for path in ("src/metagen/answers.py", "template/CHANGELOG.md.jinja"):
        made.edit(path, "contact", "maintainer")
    made.edit("copier.yml", "contact:\n", "maintainer:\n")
    made.edit("copier.yml", "mg_problem('contact')", "mg_problem('maintainer')")
    made.edit(
        "copier.yml",
        "_migrations:\n",
        "_migrations:\n  - version: v91.0.0\n"
        "    when: \"{{ _stage == 'before' }}\"\n"
        "    command: \"sed -i 's/^contact:/maintainer:/' {{ _copier_conf.answers_file }}\"\n",
    )
    made.release("v91.0.0")
    return made


def test_an_old_repository_comes_along(versions, later, tmp_path):
    """Its document says 1.0, its answers a name of the past; edits, comments and answers stay."""
    data = TEXT | {"package_name": "text", "contact": "me@example.org"}
    folder = copy(versions.path, tmp_path / "project", data, NEXT)
    answers = (folder / ".copier-answers.yml").read_text()
    assert "contact: me@example.org" in answers
    (folder / ".copier-answers.yml").write_text(
        answers.replace(str(versions.path), str(later.path))
    )
    project = start(folder, later.path)
    document = project.read("spec.yaml").replace("modality:", "# mine\nmodality:", 1)
    project.write("spec.yaml", document)
    project.write("README.md", project.read("README.md") + "\nMine.\n")
    commit(project.path)

    report = scaffold.update(project.path, upgrade=True)
    assert report == scaffold.UpdateReport(
        upgraded=("read as MSL 1.1 (it says 1.0): purpose is called description",)
    )
    answers = project.read(".copier-answers.yml")
    assert "maintainer: me@example.org" in answers and "contact" not in answers
    assert "Ask me@example.org" in project.read("CHANGELOG.md")
    assert project.read("spec.yaml") == document.replace('"1.0"', '"1.1"')
    assert project.read("README.md").endswith("\nMine.\n")
    commit(project.path)
    update(project.path)
    assert project.status() == []


def test_an_old_document_arrives_as_data(later, tmp_path):
    data = {key: value for key, value in TEXT.items() if key != "outputs"} | {"purpose": "Talk."}
    folder = copy(later.path, tmp_path / "made", data, "v91.0.0")
    assert "purpose" not in (folder / "spec.yaml").read_text()
    assert "Talk." in (folder / "README.md").read_text() + (folder / "spec.yaml").read_text()
