"""Numbers of things in sentences: one scan, two scans."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write how many things there are, such as "1 scan" and "2 scans".

    Parameters
    ----------
    number : int
        How many.
    noun : str
        What one of them is called.
    plural : str, optional
        What several are called, where that is not the noun with an s.
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
