"""`python -m metagen`."""

from .cli import main

main()
