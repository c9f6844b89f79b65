"""Lists in columns: flat values for array arithmetic, and back.

The stages work on all the values of a batch at once (`flatten`), since a Python loop a word is the slowest part of a
fast pipeline, and then lay them back into one list a row (`nest`).
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Int = npt.NDArray[np.int64]


def flatten(column: pa.ChunkedArray) -> tuple[Int, pa.Array]:
    """The length of each row's list (rows,) and the values of all the lists in one array.

    Works on sliced and chunked columns; a null list has length 0.
    """
    lists = column.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths, lists.flatten()


def nest(lengths: Int, values: pa.Array, list_type: pa.ListType) -> pa.Array:
    """The inverse of `flatten`: `lengths[i]` consecutive values make row i.

    Raises:
        pyarrow.ArrowInvalid: There are more than 2**31 - 1 values, which a list column cannot hold.
    """
    return pa.ListArray.from_arrays(pa.array(to_offsets(lengths), type=pa.int32()), values, type=list_type)


def structs(struct_type: pa.StructType, columns: dict[str, Int | pa.Array]) -> pa.StructArray:
    """One struct array from a column a field, each cast to its field's type."""
    arrays = [pa.array(columns[field.name], type=field.type) for field in struct_type]
    return pa.StructArray.from_arrays(arrays, fields=list(struct_type))


def to_offsets(lengths: Int) -> Int:
    """Where each list begins in the flat values, and the end of the last: (rows + 1,)."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])


def owners(lengths: Int) -> Int:
    """The row that each flat value belongs to."""
    return np.repeat(np.arange(len(lengths)), lengths)


def positions(lengths: Int) -> Int:
    """The position of each flat value in its own list, from 0."""
    return np.arange(lengths.sum()) - np.repeat(to_offsets(lengths)[:-1], lengths)
