"""`python -m itda_core` is the command line."""

from itda_core.cli.main import main

if __name__ == "__main__":
    main()
