"""A finished output folder, read as any Arrow reader would.

Apart from `folder.py` since pyarrow.dataset imports pandas, which takes longer than to tag a text.
"""

from typing import Any

import pyarrow as pa
import pyarrow.dataset

from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.schema import CHUNK_ROW
from pipelines.storage import Location, arrow


def read_chunks(folder: Location, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The first rows (CHUNK_ROW) of an output folder, and how many it has in all.

    Raises:
        OutputError: The folder holds no run, or a part is damaged.
    """
    dataset = open_dataset(folder)
    try:
        return dataset.head(limit).to_pylist(), dataset.count_rows()
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{folder}: a part is damaged ({error}); delete it, and --resume tags it again") from None


def open_dataset(folder: Location) -> pyarrow.dataset.Dataset:
    """The chunk rows (CHUNK_ROW) of the committed parts of an output folder.

    Raises:
        OutputError: The folder holds no run.
    """
    output_format = Manifest.read(folder).settings["output_format"]
    filesystem, _ = arrow(folder)
    parts = filesystem.get_file_info([arrow(part)[1] for part in OUTPUT_FORMATS[output_format].part_files(folder)])
    # Arrow refuses an empty file of JSON lines, which is what a part without chunks is.
    return pyarrow.dataset.dataset(
        [part.path for part in parts if part.size],
        schema=CHUNK_ROW,
        format={"parquet": "parquet", "jsonl": "json"}[output_format],
        filesystem=filesystem,
    )
