"""The command line: the only place that knows Typer, Rich, the terminal and exit codes."""
