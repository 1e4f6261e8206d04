"""The cache as a pool of blocks of equal size: who holds which, and which prefix a block remembers.

Paged attention (Kwon et al., arXiv 2309.06180): a sequence takes blocks as it grows, anywhere in the pool, so nothing
is reserved for tokens that may never come and at most one block a sequence is part empty. A block is held by as many
sequences as its reference count says. A full block is known by a hash of everything up to its end (automatic prefix
caching); when nobody holds it any more it keeps its content until it is needed, longest unused first.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b

PrefixHash = bytes


def extend_hashes(hashes: list[PrefixHash], token_ids: list[int], block_size: int) -> None:
    """Adds what is missing to a sequence's hashes: for each full block, one of all tokens up to its end.

    Sixteen bytes of BLAKE2 and not Python's `hash`: two prefixes of one hash would answer from each other's cache.

    >>> one, two = [], []
    >>> extend_hashes(one, [1, 2, 3, 4, 5], block_size=2)
    >>> extend_hashes(two, [9, 2, 3, 4, 5], block_size=2)
    >>> len(one), one[1] == two[1]  # the second blocks hold the same tokens behind different ones
    (2, False)
    """
    for end in range((len(hashes) + 1) * block_size, len(token_ids) + 1, block_size):
        tokens = array("q", token_ids[end - block_size : end]).tobytes()
        hashes.append(blake2b(b"".join(hashes[-1:]) + tokens, digest_size=16).digest())


class BlockPool:
    """`num_blocks` blocks of `block_size` tokens; raises `ValueError` for none of either."""

    def __init__(self, num_blocks: int, block_size: int) -> None:
        if num_blocks < 1 or block_size < 1:
            raise ValueError(f"A pool has blocks of at least one token; got {num_blocks} blocks of {block_size}.")
        self.num_blocks, self.block_size = num_blocks, block_size
        self.ref_counts = [0] * num_blocks
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(num_blocks))
        self._block_of: dict[PrefixHash, int] = {}
        self._hash_of: dict[int, PrefixHash] = {}

    @property
    def num_free(self) -> int:
        """Blocks that nobody holds, those that remember a prefix among them."""
        return len(self._free)

    def take(self) -> int:
        """A block for one holder, its old content forgotten; raises `IndexError` where none is free.

        >>> pool = BlockPool(num_blocks=2, block_size=16)
        >>> pool.take(), pool.take(), pool.num_free
        (0, 1, 0)
        """
        if not self._free:
            raise IndexError(f"All {self.num_blocks} blocks are held; preempt a sequence first.")
        block, _ = self._free.popitem(last=False)
        self.ref_counts[block] = 1
        self.forget([block])
        return block

    def hold(self, block: int) -> None:
        """One more holder of a block whose content is wanted."""
        self._free.pop(block, None)
        self.ref_counts[block] += 1

    def release(self, block_table: list[int]) -> None:
        """Lets go of a sequence's blocks; raises `ValueError` for one that nobody holds.

        The end goes first and so is reused first: a prefix is of use without its end, an end not without its prefix.
        """
        for block in reversed(block_table):
            if self.ref_counts[block] == 0:
                raise ValueError(f"Block {block} is released and nobody holds it.")
            self.ref_counts[block] -= 1
            if self.ref_counts[block] == 0:
                self._free[block] = None

    def remember(self, block: int, prefix: PrefixHash) -> None:
        """Notes what a full block holds, unless another block holds the same already."""
        if prefix not in self._block_of and block not in self._hash_of:
            self._block_of[prefix], self._hash_of[block] = block, prefix

    def forget(self, block_table: Iterable[int]) -> None:
        """Nobody begins any more from what these blocks hold; who holds them goes on."""
        for block in block_table:
            self._block_of.pop(self._hash_of.pop(block, b""), None)

    def find(self, hashes: Iterable[PrefixHash]) -> list[int]:
        """The blocks that hold the longest remembered prefix, in order.

        >>> pool = BlockPool(num_blocks=4, block_size=16)
        >>> pool.remember(3, b"one")
        >>> pool.find([b"one", b"one, two"])
        [3]
        """
        found = []
        for prefix in hashes:
            if prefix not in self._block_of:
                break
            found.append(self._block_of[prefix])
        return found
