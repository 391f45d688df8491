"""At home in the Spinal Cord Toolbox (SCT): its files, its straightening, its quality control."""
