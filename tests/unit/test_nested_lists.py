import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.nested_lists import flatten, nest, owners, positions, structs, to_offsets
from pipelines.schema import SPAN

INTS = pa.list_(pa.int32())
STRUCTS = pa.list_(SPAN)
LISTS = st.lists(st.none() | st.lists(st.integers(0, 9), max_size=4), max_size=12)


def chunked(rows, kind, size):
    """The rows in chunks of `size`, each a slice out of a longer array."""
    padded = pa.array([rows[0] if rows else None, *rows, [] if rows else None], kind)
    return pa.chunked_array([padded.slice(1 + at, min(size, len(rows) - at)) for at in range(0, len(rows), size)], kind)


@given(LISTS, st.integers(1, 5), st.booleans())
def test_nest_is_the_inverse_of_flatten(rows, size, of_structs):
    kind = STRUCTS if of_structs else INTS
    rows = [row and [{"start": i, "end": i + 1} for i in row] if of_structs else row for row in rows]
    column = chunked(rows, kind, size)
    assert column.to_pylist() == rows
    lengths, values = flatten(column)
    assert lengths.tolist() == [len(row or ()) for row in rows]
    nested = nest(lengths, values, kind)
    assert nested.type == kind
    assert nested.to_pylist() == [row or [] for row in rows]


def test_values_under_a_null_are_left_out():
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 2, 4]), pa.array([1, 2, 3, 4], pa.int32()), mask=pa.array([True, False])
    )
    lengths, values = flatten(pa.chunked_array([hidden]))
    assert (lengths.tolist(), values.to_pylist()) == ([0, 2], [3, 4])


@given(st.lists(st.integers(0, 4), max_size=12))
def test_owners_and_positions_name_each_value(counts):
    lengths = np.array(counts, dtype=np.int64)
    pairs = list(zip(owners(lengths).tolist(), positions(lengths).tolist(), strict=True))
    assert pairs == [(row, i) for row, count in enumerate(counts) for i in range(count)]
    offsets = to_offsets(lengths).tolist()
    assert [b - a for a, b in zip(offsets, offsets[1:], strict=False)] == counts  # noqa: RUF007
    assert offsets[0] == 0


def test_structs_cast_numpy_and_arrow_to_the_fields():
    made = structs(SPAN, {"end": pa.array([3, 4], pa.int64()), "start": np.array([1, 2], dtype=np.int64)})
    assert made.type == SPAN
    assert made.to_pylist() == [{"start": 1, "end": 3}, {"start": 2, "end": 4}]


def test_structs_refuse_what_does_not_fit():
    with pytest.raises(pa.ArrowInvalid):
        structs(SPAN, {"start": np.array([2**31]), "end": pa.array([1], pa.int64())})
