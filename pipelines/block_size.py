"""How large the blocks are that Ray Data hands on: what an actor gets at once, and what becomes a part."""

SMALLEST_BLOCK_BYTES, LARGEST_BLOCK_BYTES = 64 << 10, 256 << 10
BLOCKS_AN_ACTOR = 8
"""A block is what an actor is handed at once and what becomes a part. With this many each, no actor is left waiting
long for the last one. The largest, some 200 abstracts, is what a BERT-base on one slow core tags in a few minutes: what
a kill costs at most, and well within `STALL_SECONDS`."""

ACTORS_OF_USUAL_BLOCKS, LARGEST_GROWTH = 128, 8
"""Ray Data plans all blocks on one thread of the driver, some thirty a second. So many actors of the embedded model
take half of these; where there are more, blocks grow as their number, or they would wait (benchmarks/pubmed.md, b)."""

BYTES_A_CHARACTER = 4
"""Arrow bytes that a character of text takes at least, with its words and word pieces beside it; 5 to 6 are usual.
Ray joins what the reader yields until a block has the size that it is told: it ends a block where the reader does."""


def text_bytes(corpus_bytes: int, *, actors: int) -> int:
    """Bytes of text in a block, for a corpus of this size that so many actors share."""
    largest = int(LARGEST_BLOCK_BYTES * min(max(actors / ACTORS_OF_USUAL_BLOCKS, 1), LARGEST_GROWTH))
    return min(max(corpus_bytes // (actors * BLOCKS_AN_ACTOR), SMALLEST_BLOCK_BYTES), largest)
