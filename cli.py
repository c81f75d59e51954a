"""Run the command line from a checkout: `python cli.py solve exam`."""

from rlkit.cli import main

if __name__ == "__main__":
    main()
