"""How far the chain can be taken back, for whoever asks for a reorg and for whoever keeps what it needs."""

# Polygon's own were 157 blocks deep at worst.
DEEPEST = 255
# Those blocks, and the one before them that the new ones follow.
KEPT_FOR_REORGS = DEEPEST + 1
