"""Pictures of scans: discs on the mid-sagittal image, and what the network looked at."""
