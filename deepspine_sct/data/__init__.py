"""Data sets: the scans and labels of a BIDS folder, sets prepared from them, and how subjects are split."""
