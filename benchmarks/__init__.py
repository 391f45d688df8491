"""Benchmarks: run them from the checkout with ``python -m benchmarks.<folder>.<name>``; see README.md."""
