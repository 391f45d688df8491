"""What the discs of a scan are good for beside naming: distances, angles, and files for other viewers."""
