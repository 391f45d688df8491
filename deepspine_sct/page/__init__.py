"""The quality-control page: one HTML file, without a server, for one scan, a session or a cohort."""
