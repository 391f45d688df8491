"""Simulated spines: bodies from an atlas and from real anatomies, seen by a simulated scanner."""
