"""Pages on which a person checks the labels of many scans: our own, and SCT's report."""
