"""The engine: route, solve, count, estimate, draw, and assemble a Release."""
