"""The commands by their short names."""

COMMANDS = {
    "label": "label",
    "batch": "batch",
    "correct": "correct",
    "evaluate": "evaluate",
    "import": "import_original",
    "measure": "measure",
    "prepare": "prepare",
    "prior": "learn_prior",
    "train": "train",
}
"""Short name to module of `deepspine_sct.cli`; the command itself is ``sct_deepspine_<short name>``."""
