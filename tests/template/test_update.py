"""What an update changes, keeps, refuses and brings back (invariants 1, 3 and 4)."""

from __future__ import annotations

import pytest
import yaml
from copier.errors import UserMessageError

from metagen import __version__, scaffold
from metagen.post import report

BUDGET = {"parameter_budget": {"max": "2M"}, "context_window": "1k"}
TRAIN = "code/small_talk/train.py"


def test_nothing_to_do(project, save):
    assert project.update() == []
    project.write(TRAIN, project.read(TRAIN) + "\n# mine\n")
    (project.path / "LICENSE").unlink()
    save(project)
    assert project.update() == [], "an edited file and a deleted one are nothing to do either"


def test_edited_document_and_edited_code(project, save):
    """New dimensions, the user's line kept, the author's wording untouched."""
    before = yaml.safe_load(project.read("blueprint/architecture.yaml"))["total_params"]
    project.edit(TRAIN, "import math\n", "import math  # mine\n")
    document = "# wording of mine\n" + project.read("spec.yaml").replace("5M", "2M")
    project.write("spec.yaml", document)
    save(project)

    changed = project.update()
    after = yaml.safe_load(project.read("blueprint/architecture.yaml"))["total_params"]
    assert after <= 2_000_000 < before
    assert " M code/small_talk/config.py" in changed
    assert "import math  # mine\n" in project.read(TRAIN)
    assert project.read("spec.yaml") == document
    assert str(after) in project.read("blueprint/ledger.json")
    project.settle()


def test_answers_as_data(project, save):
    """spec.yaml follows answers given to an update; unchanged blocks keep their wording."""
    project.edit("spec.yaml", "modality:", "modality:  # mine")
    project.write("spec.yaml", project.read("spec.yaml") + "\n# the end\n")
    save(project)
    project.update(data={"q_name": "big talk", "training": {"compute": {"hardware": "4xA100"}}})
    text = project.read("spec.yaml")
    stated = yaml.safe_load(text)
    assert "modality:  # mine\n" in text and "# the end\n" in text
    assert stated["name"] == "big talk"
    assert stated["training"] == {"compute": {"hardware": "4xA100"}}
    assert (project.path / "code" / "small_talk").is_dir(), "the package keeps its name"
    project.settle()


def test_two_versions_in_one_process(own_template, tmp_path, save):
    """The old side is rendered by the old engine: what the user did not touch changes cleanly."""
    own_template.edit("src/metagen/__init__.py", '__version__ = "', '__version__ = "0')
    own_template.edit("template/README.md.jinja", "\n", "\n\nEngine {{ mg.version }}.\n")
    own_template.release("v90.0.0")
    project = own_template.project(tmp_path / "project", ref="v90.0.0")
    old = f"Engine 0{__version__}."
    assert old in project.read("README.md")
    project.write("README.md", project.read("README.md") + "\nMine.\n")
    save(project)

    own_template.edit("src/metagen/__init__.py", '__version__ = "0', '__version__ = "9')
    own_template.edit("src/metagen/synth/words.py", '"title": ', '"generation": "two", "title": ')
    own_template.edit(
        "template/README.md.jinja", "Engine {{ mg.version }}.", "Engine {{ mg.words.generation }}."
    )
    own_template.release("v91.0.0")
    project.update(vcs_ref=None)
    readme = project.read("README.md")
    assert "Engine two." in readme and old not in readme and "<<<<" not in readme
    assert readme.endswith("Mine.\n")
    assert "_commit: v91.0.0" in project.read(".copier-answers.yml")
    project.settle()


def test_refused_document(project, save):
    project.write("spec.yaml", project.read("spec.yaml").replace("5M", "20 bananas"))
    save(project)
    with pytest.raises(UserMessageError, match="20 bananas.*is not a quantity"):
        project.update()
    assert project.status() == []


@pytest.mark.full
def test_refused_by_the_engine(project, save):
    """Not the schema but the solver says no, once everything is put together."""
    project.write("spec.yaml", project.read("spec.yaml").replace("5M", "3"))
    save(project)
    with pytest.raises(UserMessageError, match="parameter_budget"):
        project.update()
    assert project.status() == []


def test_refusal_survives_stored_answers(project, save):
    """Copier swallows errors while it validates stored answers, and drops those (trap 1)."""
    project.write("spec.yaml", "name: [not, a, name]\n")
    save(project)
    with pytest.raises(UserMessageError, match="spec.yaml"):
        project.update()
    assert "package_name: small_talk" in project.read(".copier-answers.yml")
    assert project.status() == []


def test_dropped_artifact(project, save):
    """What was edited comes back, what was not goes, and what the user deleted stays away."""
    project.write("docs/model_card.md", project.read("docs/model_card.md") + "\nMine.\n")
    (project.path / "docs" / "limitations.md").unlink()
    save(project)
    project.state(outputs={"artifacts": ["pytorch_skeleton"]})
    updated = scaffold.update(project.path)
    assert updated == scaffold.UpdateReport(restored=("docs/model_card.md",))
    assert project.read("docs/model_card.md").endswith("Mine.\n")
    gone = ("docs/data_card.md", "docs/limitations.md", "blueprint/training_plan.yaml")
    assert not [path for path in gone if (project.path / path).exists()]
    project.settle()

    project.state(outputs={"artifacts": ["pytorch_skeleton", "model_card"]})
    project.update()
    assert "Mine." in project.read("docs/model_card.md")


def test_renamed_template(own_template, tmp_path, save, capfd):
    """Stock Copier deletes the old file, edits and all."""
    project = own_template.project(tmp_path / "project")
    project.write("CITATION.cff", project.read("CITATION.cff") + "# mine\n")
    save(project)
    folder = own_template.path / "template"
    (folder / "CITATION.cff.jinja").rename(folder / "citation.bib.jinja")
    (folder / "Dockerfile.jinja").rename(folder / "Containerfile.jinja")
    own_template.release("v91.0.0")
    changed = project.update(vcs_ref=None)
    assert project.read("CITATION.cff").endswith("# mine\n")
    assert "restored: CITATION.cff" in capfd.readouterr().err
    assert {" D Dockerfile", "?? Containerfile", "?? citation.bib"} <= set(changed)
    project.settle()


def test_conflict(project, save):
    """Copier says nothing and exits with 0; ours lists the file and does not."""
    line = next(i for i in project.read("README.md").splitlines() if "total_params" in i)
    project.edit("README.md", line, line.replace("<!--=total_params-->", " (about)"))
    save(project)
    project.state(constraints=BUDGET)
    updated = scaffold.update(project.path)
    assert updated.conflicts == ("README.md",)
    assert updated.exit_status == 1
    assert "(about)" in project.read("README.md"), "no line is lost"


def test_failure_half_way(own_template, tmp_path):
    """Whatever stops an update, the repository is as it was."""
    project = own_template.project(tmp_path / "project")
    own_template.edit("src/metagen/post_step.py", "sys.exit(main(", "sys.exit(3 + main(")
    own_template.edit("template/README.md.jinja", "\n", "\n\nAnother line.\n")
    (own_template.path / "template" / "extra.md").write_text("new")
    own_template.release("v91.0.0")
    with pytest.raises(scaffold.ScaffoldError, match="exit status 3"):
        scaffold.update(project.path, upgrade=True)
    assert project.status() == []
    assert not (project.path / ".git" / report.NAME).exists()


@pytest.mark.full
def test_template_elsewhere(project, own_template, tmp_path, save):
    """Another source for this once: what is recorded stays."""
    project.edit(".copier-answers.yml", str(project.source), "gh:metagen/template")
    save(project)
    project.state(constraints=BUDGET)
    assert scaffold.update(project.path, template=str(own_template.path)).exit_status == 0
    assert project.status()
    assert '"gh:metagen/template"' in project.read(".copier-answers.yml")
    save(project)
    assert scaffold.update(project.path, template=str(own_template.path)).exit_status == 0
    assert project.status() == []


def test_synthesised_repository_updates(own_template, tmp_path, monkeypatch, adopt):
    """`metagen synth` records an origin that an update can start from."""
    monkeypatch.setattr(scaffold, "template_root", lambda: own_template.path)
    made = scaffold.synthesize("edge_tiny_agent", tmp_path / "made")
    project = adopt(made.path)
    updated = scaffold.update(project.path, template=str(own_template.path))
    assert (updated, project.status()) == (scaffold.UpdateReport(), [])


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: (path / ".copier-answers.yml").unlink(), "was not made by MetaGen"),
        (lambda path: (path / "notes.txt").write_text("x"), "uncommitted changes"),
    ],
)
def test_nothing_to_update(minimal, tmp_path, adopt, prepare, message, copied):
    project = adopt(copied(minimal))
    prepare(project.path)
    with pytest.raises(scaffold.ScaffoldError, match=message):
        scaffold.update(project.path)


def test_not_committed(minimal):
    with pytest.raises(scaffold.ScaffoldError, match="not committed"):
        scaffold.update(minimal)


def test_package_name_stays(own_template, tmp_path, save):
    """A stored answer that new rules refuse is not replaced by a default."""
    project = own_template.project(tmp_path / "project")
    own_template.edit("src/metagen/package_names.py", "benchmarks blueprint", "small_talk")
    own_template.release("v91.0.0")
    project.update(vcs_ref=None)
    assert (project.path / TRAIN).is_file()
    assert "package_name: small_talk\n" in project.read(".copier-answers.yml")


@pytest.mark.full
def test_figures_follow_unless_edited(template, tmp_path, save):
    project = template.project(tmp_path / "project", {"outputs": {"artifacts": ["paper"]}})
    project.write("docs/figures/pipeline.svg", "<svg>mine</svg>")
    save(project)
    project.state(constraints=BUDGET)
    before = project.read("paper/figures/pipeline.pdf")
    project.update()
    assert project.read("docs/figures/pipeline.svg") == "<svg>mine</svg>"
    assert project.read("paper/figures/pipeline.pdf") != before
    project.settle()
