"""Entry point of ``python -m bench.cli``."""

from bench.cli.app import main

if __name__ == "__main__":
    main()
