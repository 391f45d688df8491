"""How good a labeling is: label-aware metrics in millimetres, and pictures of it."""
