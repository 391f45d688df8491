"""Simulated spines, training cases and the trainer."""
