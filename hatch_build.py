"""Build hook: the wheel carries the template as it stands under its tag.

Copier loads the engine by path from the template's root, so the bundle is such a root, engine
included. An editable install needs none of it: there the checkout is the root.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOTED = ("copier.yml", "template", "src/metagen")


class BundleHook(BuildHookInterface):
    """Adds the template's root as `metagen/_bundle` and the examples beside it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Extend what a standard wheel contains; an editable one stays as it is."""
        if version == "standard":
            bundle = {name: f"metagen/_bundle/{name}" for name in ROOTED}
            build_data["force_include"].update(bundle | {"examples": "metagen/examples"})
