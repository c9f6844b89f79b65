"""What is said of a run that stops: one line on the terminal, all else in a log in its output folder."""

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.config import RunStoppedError
from pipelines.outputs.output_error import OutputError
from pipelines.storage import Location

RAY_LOG = "_ray.log"


@contextlib.contextmanager
def ray_log(output: Location) -> Iterator[Path]:
    """The file for what Ray's C++ code says. In an object store there is one only if the run stops."""
    if isinstance(output, Path):
        yield output / RAY_LOG
        return
    with TemporaryDirectory() as folder:
        log = Path(folder, RAY_LOG)
        try:
            yield log
        except BaseException:
            with contextlib.suppress(OSError):  # the store may be what stopped the run
                (output / RAY_LOG).write_bytes(log.read_bytes())
            raise


@contextlib.contextmanager
def stopping_in_one_line(output: Location, log: Path) -> Iterator[None]:
    """What breaks a run (a full disk, a lost cluster, a fault of ours) becomes one line, its traceback a log."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:
        with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
        cause = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise RunStoppedError(
            f"{output}: the run stopped ({cause}); what was committed stays, --resume goes on from there; more in "
            f"{output / RAY_LOG}"
        ) from error
