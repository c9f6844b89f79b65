"""What is raised where an output folder cannot be used."""


class OutputError(ValueError):
    """An output folder that cannot be written, read or gone on with; the message names the file and what to do."""
