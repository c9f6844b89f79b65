"""How much text a block has."""

import pytest

from pipelines.block_size import text_bytes

KIB = 1 << 10
PUBMED_BYTES = 47 * 10**9


@pytest.mark.parametrize(
    ("corpus_bytes", "actors", "kib"),
    [
        (0, 1, 64),
        (1000 * KIB, 2, 64),
        (1600 * KIB, 2, 100),
        (PUBMED_BYTES, 1, 256),
        (PUBMED_BYTES, 128, 256),
        (PUBMED_BYTES, 192, 384),
        (PUBMED_BYTES, 973, 1946),
        (PUBMED_BYTES, 5000, 1147),  # an eighth of each actor's share again
        (10 * PUBMED_BYTES, 5000, 2048),
    ],
)
def test_an_eighth_of_a_share_within_limits_that_grow_with_the_pool(corpus_bytes, actors, kib):
    assert text_bytes(corpus_bytes, actors=actors) // KIB == kib


def test_the_driver_has_as_many_blocks_to_plan_for_a_thousand_actors_as_for_a_hundred():
    of_128, of_1024 = (actors / text_bytes(PUBMED_BYTES, actors=actors) for actors in (128, 1024))
    assert of_1024 <= of_128
