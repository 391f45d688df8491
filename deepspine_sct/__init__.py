"""Find and name the intervertebral discs of spinal MRI."""

__version__ = "0.1.0"
