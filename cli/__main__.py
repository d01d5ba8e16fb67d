"""`python -m cli` is `orch`, for where the command itself is not on PATH."""

from cli.main import main

if __name__ == "__main__":
    main()
