"""What it costs: time, memory, cohorts."""
