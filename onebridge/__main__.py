"""``python -m onebridge``."""

from onebridge.cli import main

main()
