"""The post step as Copier runs it: a script of the template's checkout, in Copier's own Python.

Usage: python post_step.py ANSWERS_FILE, in the generated repository.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from metagen.post import main  # noqa: E402  (of this checkout, whatever is installed)

if __name__ == "__main__":
    sys.exit(main(Path.cwd(), sys.argv[1]))
