"""What may become of a scan, in the words of the page, of the tables and of the records."""

LABELLED, FAILED, SKIPPED, NOT_DONE, DAMAGED = "labelled", "failed", "skipped", "not done", "damaged"
OUTCOMES = (LABELLED, FAILED, SKIPPED, NOT_DONE, DAMAGED)
