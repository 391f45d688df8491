"""One scan from its file to the files that are made of it: the only way in which a scan is labelled."""
