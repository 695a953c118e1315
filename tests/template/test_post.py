"""The post step's three jobs, each by itself."""

from __future__ import annotations

import pytest
import yaml

from metagen.post import figures, manifest, report, spec_file
from metagen.post.git import Git

DOCUMENT = """\
# yaml-language-server: $schema=schema.json
metagen_version: "1.0"   # of the language
name: small talk  # ours

# what it does
modality:
  inputs: [text]
  # and out
  outputs: [text]

# the end
"""
STATED = {
    "metagen_version": "1.0",
    "name": "small talk",
    "modality": {"inputs": ["text"], "outputs": ["text"]},
}


class TestSpecFile:
    def test_untouched_when_it_agrees(self):
        assert spec_file.rewrite(DOCUMENT, STATED) is DOCUMENT

    def test_only_changed_blocks(self):
        changed = spec_file.rewrite(DOCUMENT, STATED | {"name": "big talk"})
        assert changed == DOCUMENT.replace("name: small talk  # ours", "name: big talk")

    def test_block_of_several_lines(self):
        other = {"inputs": ["text", "image"], "outputs": ["text"]}
        changed = spec_file.rewrite(DOCUMENT, STATED | {"modality": other})
        assert changed.startswith(DOCUMENT.split("modality:")[0])
        assert changed.endswith("\n\n# the end\n")
        assert yaml.safe_load(changed)["modality"] == other

    def test_new_and_removed_blocks(self):
        stated = {k: v for k, v in STATED.items() if k != "name"} | {"task": {"domain": "x"}}
        changed = spec_file.rewrite(DOCUMENT, stated)
        assert yaml.safe_load(changed) == stated
        assert "# the end" in changed and "small talk" not in changed

    @pytest.mark.parametrize("ending", ["\n", "\r\n"])
    def test_line_endings(self, ending):
        changed = spec_file.rewrite(DOCUMENT.replace("\n", ending), STATED | {"name": "x"})
        assert changed.count("\n") == changed.count(ending)

    @pytest.mark.parametrize(
        "text",
        [
            '{"metagen_version": "1.0", "name": "x", "modality": {}}',
            "metagen_version: &v '1.0'\nname: *v\nmodality: {}\n",
            "name: [unclosed\n",
            "",
        ],
    )
    def test_what_has_no_blocks_is_written_anew(self, text):
        assert yaml.safe_load(spec_file.rewrite(text, STATED)) == STATED

    def test_no_newline_at_the_end(self):
        changed = spec_file.rewrite("metagen_version: '1.0'\nname: x", {"name": "x", "task": {}})
        assert yaml.safe_load(changed) == {"name": "x", "task": {}}

    def test_schema_comment_key(self):
        text = '"$schema": schema.json\n' + DOCUMENT
        assert spec_file.rewrite(text, STATED) is text
        assert '"$schema": schema.json\n' in spec_file.rewrite(text, STATED | {"name": "x"})


@pytest.fixture
def repository(tmp_path, adopt):
    """Three rendered files in Git and a template that knows their names."""
    template, folder = tmp_path / "template", tmp_path / "repository"
    for place in (template, folder):
        place.mkdir()
        for name in ("a.md", "b.md", "c.md"):
            (place / name).write_text(name)
    (folder / "own.txt").write_text("not the template's")
    (folder / ".copier-answers.yml").write_text("")
    return adopt(folder), template


class TestManifest:
    def reconcile(self, repository, known):
        project, template = repository
        git = Git(project.path, ".copier-answers.yml")
        return manifest.reconcile(project.path, known, git, template, ".copier-answers.yml")

    def test_fresh_folder(self, tmp_path):
        (tmp_path / "x").mkdir()
        for name in ("a.md", "spec.yaml", ".copier-answers.yml", "mine.txt"):
            (tmp_path / "x" / name).write_text(name)
        (tmp_path / "template").mkdir()
        for name in ("a.md.jinja", "spec.yaml.jinja"):
            (tmp_path / "template" / name).write_text("")
        git = Git(tmp_path / "x", ".copier-answers.yml")
        files, restored = manifest.reconcile(
            tmp_path / "x", {}, git, tmp_path / "template", ".copier-answers.yml"
        )
        assert (files, restored) == ({"a.md": manifest.digest(b"a.md")}, [])

    def test_untouched_file_may_go(self, repository):
        project, _ = repository
        known = {"a.md": manifest.digest(b"a.md"), "b.md": manifest.digest(b"b.md")}
        (project.path / "a.md").unlink()
        assert self.reconcile(repository, known) == ({"b.md": known["b.md"]}, [])
        assert not (project.path / "a.md").exists()

    def test_edited_file_comes_back(self, repository):
        project, _ = repository
        (project.path / "a.md").unlink()
        assert self.reconcile(repository, {"a.md": "as rendered"}) == ({}, ["a.md"])
        assert project.read("a.md") == "a.md"

    def test_unknown_file_comes_back(self, repository):
        """A lost manifest loses nothing else."""
        project, _ = repository
        (project.path / "c.md").unlink()
        assert self.reconcile(repository, {}) == ({}, ["c.md"])

    def test_hash_moves_on_only_with_untouched_files(self, repository):
        project, _ = repository
        known = {"a.md": manifest.digest(b"a.md"), "b.md": "as rendered"}
        project.write("a.md", "newly rendered")
        project.write("b.md", "merged")
        files, _ = self.reconcile(repository, known)
        assert files == {"a.md": manifest.digest(b"newly rendered"), "b.md": "as rendered"}

    def test_new_files_are_rendered_ones(self, repository):
        project, template = repository
        (template / "d.md.jinja").write_text("")
        project.write("d.md", "new")
        project.write("e.md", "somebody's")
        assert self.reconcile(repository, {})[0] == {"d.md": manifest.digest(b"new")}

    def test_deleted_by_its_owner(self, repository, save):
        project, _ = repository
        (project.path / "a.md").unlink()
        save(project)
        known = {"a.md": manifest.digest(b"a.md")}
        assert self.reconcile(repository, known) == (known, [])
        assert not (project.path / "a.md").exists()

    @pytest.mark.parametrize("name", ["with space.md", "ünï.md", "-dash.md", "*.md", '"q".md'])
    def test_names(self, repository, save, name):
        project, _ = repository
        project.write(name, "mine")
        save(project)
        (project.path / name).unlink()
        assert self.reconcile(repository, {name: "as rendered"}) == ({}, [name])
        assert project.read(name) == "mine"

    def test_part_of_a_larger_repository(self, tmp_path, adopt, save):
        (tmp_path / "whole" / "part").mkdir(parents=True)
        (tmp_path / "whole" / "part" / ".copier-answers.yml").write_text("")
        (tmp_path / "whole" / "part" / "a.md").write_text("mine")
        whole = adopt(tmp_path / "whole")
        (whole.path / "part" / "a.md").unlink()
        (tmp_path / "template").mkdir()
        part = whole.path / "part"
        found = manifest.reconcile(
            part, {"a.md": "x"}, Git(part, ".copier-answers.yml"), tmp_path / "template", "answers"
        )
        assert found == ({}, ["a.md"])
        assert (part / "a.md").read_text() == "mine"

    @pytest.mark.parametrize("text", ["", "[]", "<<<<<<< ours\n", '{"files": 3}'])
    def test_unreadable_manifest_is_empty(self, tmp_path, text):
        (tmp_path / manifest.NAME).write_text(text)
        assert manifest.read(tmp_path) == manifest.Manifest()

    def test_round_trip(self, tmp_path):
        made = manifest.Manifest({"ünï.md": "0"}, {"inputs": "1", "files": {}})
        manifest.write(tmp_path, made)
        assert manifest.read(tmp_path) == made


DRAW = """
import pathlib, sys
root = pathlib.Path(__file__).resolve().parents[1]
(root / "docs" / "figures").mkdir()
(root / "docs" / "figures" / "a.svg").write_text((root / "blueprint" / "data").read_text())
"""


@pytest.fixture
def drawn(tmp_path):
    """A folder with a blueprint, drawn once, and the record of that."""
    (tmp_path / "blueprint").mkdir()
    (tmp_path / "blueprint" / "draw.py").write_text(DRAW)
    (tmp_path / "blueprint" / "data").write_text("one")
    return tmp_path, figures.refresh(tmp_path, {}).record


class TestFigures:
    def test_drawn(self, drawn):
        folder, record = drawn
        assert (folder / "docs/figures/a.svg").read_text() == "one"
        assert list(record["files"]) == ["docs/figures/a.svg"]

    def test_only_when_something_changed(self, drawn, monkeypatch):
        folder, record = drawn
        monkeypatch.setattr(figures, "Drawing", None)
        assert figures.refresh(folder, record) == figures.Drawn(record)

    def test_missing_one_is_drawn_again(self, drawn):
        folder, record = drawn
        (folder / "docs/figures/a.svg").unlink()
        assert figures.refresh(folder, record).record == record
        assert (folder / "docs/figures/a.svg").is_file()

    def test_edited_one_is_kept(self, drawn):
        folder, record = drawn
        (folder / "docs/figures/a.svg").write_text("mine")
        (folder / "blueprint" / "data").write_text("two")
        again = figures.refresh(folder, record)
        assert again.kept == ("docs/figures/a.svg",)
        assert (folder / "docs/figures/a.svg").read_text() == "mine"

    def test_useless_ones_go(self, drawn):
        folder, record = drawn
        (folder / "blueprint" / "draw.py").unlink()
        assert figures.refresh(folder, record) == figures.Drawn(figures.NOTHING)
        assert not (folder / "docs").exists()

    @pytest.mark.parametrize(
        ("code", "note"),
        [
            ("import no_such_module", "ModuleNotFoundError"),
            ("raise ModuleNotFoundError(\"No module named 'matplotlib'\")", "is not installed"),
            ("import sys; sys.exit(3)", "exit status 3"),
        ],
    )
    def test_failure_is_a_note(self, drawn, code, note):
        folder, record = drawn
        (folder / "blueprint" / "draw.py").write_text(code)
        again = figures.refresh(folder, record)
        assert again.note.startswith("no figures") and "\n" not in again.note
        assert again.record == figures.NOTHING


def test_report_reaches_whoever_asked(repository):
    project, _ = repository
    git = Git(project.path, ".copier-answers.yml")
    assert not report.deliver(git, {"restored": ["a"]})
    with report.requested(git) as found:
        assert report.deliver(git, {"restored": ["a"]})
    assert found["restored"] == ["a"]
    assert project.status() == []
    assert not report.deliver(git, {})
