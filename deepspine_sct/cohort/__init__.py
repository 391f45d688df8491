"""A whole BIDS data set: find its scans, label them in worker processes, and report on them."""
