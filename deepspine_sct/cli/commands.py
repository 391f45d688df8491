"""The commands by their short names."""

COMMANDS = {
    "label": "label",
    "batch": "batch",
    "evaluate": "evaluate",
    "import": "import_original",
    "prepare": "prepare",
    "prior": "learn_prior",
    "train": "train",
}
"""Short name to module of `deepspine_sct.cli`; the command itself is ``sct_deepspine_<short name>``."""
