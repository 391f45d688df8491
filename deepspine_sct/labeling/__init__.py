"""From heatmaps to named discs: candidates, their order along the spine, and what it is worth."""
