"""What a network learns from, and the trainer."""
