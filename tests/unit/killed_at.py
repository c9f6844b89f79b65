"""A process that dies at a file operation of one's choice."""

from pathlib import Path

import pytest

from pipelines.storage import StorePath


class Killed(BaseException):
    pass


def killed_at(operation, function):
    """Calls the function, which dies at the file operation of that number; nothing is done from then on.

    Returns:
        Whether it had so many operations, and so died.
    """
    count = 0

    def dying(does):
        def do(*args, **options):
            nonlocal count
            count += 1
            if count > operation:
                raise Killed
            return does(*args, **options)

        return do

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "unlink", "mkdir", "rmdir"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        for name in ("write_bytes", "unlink"):
            patch.setattr(StorePath, name, dying(getattr(StorePath, name)))
        try:
            function()
        except Killed:
            return True
    return False
