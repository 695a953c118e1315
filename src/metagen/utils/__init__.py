"""Small pure helpers: seeds, formatting, escaping, reading and writing plain data."""
