"""For programs that run the commands: Boutiques descriptors (JSON) and a Nipype interface."""
