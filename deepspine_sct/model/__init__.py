"""The network, its checkpoints and the shipped weights."""
