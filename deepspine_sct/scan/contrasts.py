"""Names of contrasts: SCT's (t2), and BIDS's (T2w) for the same."""

CONTRASTS = ("t1", "t2", "t2s", "pd", "stir", "psir", "other")
"""What a scan may be called."""

_SPELLINGS = {
    "t1": "t1", "t1w": "t1", "t2": "t2", "t2w": "t2", "pd": "pd", "pdw": "pd",
    "t2s": "t2s", "t2star": "t2s", "t2starw": "t2s", "t2sw": "t2s", "t2*": "t2s", "t2*w": "t2s",
}  # fmt: skip


def contrast(text: str) -> str:
    """Read a contrast as SCT (t2) or as BIDS (T2w) writes it; what is unknown stays as it is."""
    return _SPELLINGS.get(text.strip().lower().replace("_", "").replace("-", ""), text.strip().lower())
