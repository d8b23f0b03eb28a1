"""The least-squares problem as sums over levels: terms, blocks, fixed part, cross-products."""
