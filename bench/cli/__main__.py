"""Entry point of ``python -m bench.cli``."""

from bench.cli.app import app

if __name__ == "__main__":
    app()
