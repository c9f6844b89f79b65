"""Exit codes of the command line; 2, wrong options, is typer's."""

NOTHING_DONE = 1
FINISHED_WITH_ERRORS = 3
