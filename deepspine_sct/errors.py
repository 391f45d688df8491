"""Errors that a user can act on.

Each message is one line that names the file, says what is wrong with it, and names the remedy.
Mistakes of a programmer (a wrong shape, an unknown argument) stay ``ValueError`` and keep their
traceback.
"""


class DeepspineError(Exception):
    """The input, the output or the request cannot be used; the command ends with `exit_code`."""

    exit_code = 1


class NoDiscFound(DeepspineError):  # noqa: N818 - reads as the outcome it is, not as a fault
    """The image was read and searched, and holds no disc: no file is written."""

    exit_code = 3


class NoLabels(DeepspineError):  # noqa: N818 - as `NoDiscFound`
    """A label file is missing or empty: whoever should have marked discs in it found none."""


EXTRA_OF = {"torch": "train", "safetensors": "train", "onnx": "export", "distributed": "cluster", "dask": "cluster"}
"""Which extra of the installation brings a package that not every command needs."""

_CPU_BUILDS = "--extra-index-url https://download.pytorch.org/whl/cpu"


def missing_package(name: str) -> str:
    """Say in one line which package is missing and how to install what brings it.

    Parameters
    ----------
    name : str
        Package or module as in ``ModuleNotFoundError.name``, for example ``torch.nn``.
    """
    package = name.partition(".")[0]
    extra = EXTRA_OF.get(package)
    # pip sees that deepspine_sct itself is installed already, from wherever it came, and adds what the extra needs.
    wanted = f"'deepspine_sct[{extra}]'" if extra else package
    options = f" {_CPU_BUILDS}" if extra in ("train", "export") else ""  # without it Linux gets gigabytes of CUDA
    return f"the Python package '{package}' is missing: run `pip install {wanted}{options}`"
