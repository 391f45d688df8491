"""Build the sdist and the wheel for an index: ``python tools/build_release.py ADDRESS``.

ADDRESS is where the project is published, for example https://HOST/OWNER/NAME. An index shows README.md away from its
files, so its links are made absolute; they lead to the tag of the version. The address also becomes the project's URLs.
Both happen in a copy of what is committed: the checkout is not changed. The result lies in dist/.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?://|mailto:|#)([^)\s]+)\)")
_URLS = "[project.urls]\n"


def absolute_links(text: str, address: str, tag: str) -> str:
    """Make the links of a Markdown file at the root of the project absolute.

    Pictures get the address of the file itself, and everything else that of the page which shows it.
    """

    def replace(link: re.Match[str]) -> str:
        picture, words, target = link.groups()
        return f"{picture}{words}({address}/{'raw' if picture else 'blob'}/{tag}/{target})"

    return _LINK.sub(replace, text)


def with_urls(pyproject: str, address: str, tag: str) -> str:
    """Write the address of the project into the URLs of its metadata."""
    pages = {
        "Source": address,
        "Documentation": f"{address}/tree/{tag}/docs",
        "Changelog": f"{address}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }
    head, table, rest = pyproject.partition(_URLS)
    if not table:
        raise ValueError(f"pyproject.toml has no table {_URLS.strip()}")
    return head + table + "".join(f'"{name}" = "{url}"\n' for name, url in pages.items()) + rest


def version() -> str:
    """Read the version of the package, without importing it."""
    return re.search(r'^__version__ = "(.+)"$', (ROOT / "deepspine_sct" / "__init__.py").read_text(), re.MULTILINE)[1]


def build(address: str, target: Path) -> None:
    """Build both distributions of what is committed into a folder."""
    tag = f"v{version()}"
    with tempfile.TemporaryDirectory() as temporary:
        archive, copy = Path(temporary) / "committed.tar", Path(temporary) / "copy"
        subprocess.run(["git", "archive", "--output", str(archive), "HEAD"], cwd=ROOT, check=True)
        shutil.unpack_archive(archive, copy)
        readme, pyproject = copy / "README.md", copy / "pyproject.toml"
        readme.write_text(absolute_links(readme.read_text(), address, tag))
        pyproject.write_text(with_urls(pyproject.read_text(), address, tag))
        subprocess.run([sys.executable, "-m", "build", "--outdir", str(target), str(copy)], check=True)


def main(argv: list[str] | None = None) -> int:
    """Build as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="https address where the project is published")
    address = parser.parse_args(argv).address.rstrip("/").removesuffix(".git")
    if not re.fullmatch(r"https://[^/\s]+/[^/\s]+/[^/\s]+", address):
        parser.error(f"{address}: not an address like https://HOST/OWNER/NAME")
    build(address, ROOT / "dist")
    return 0


if __name__ == "__main__":
    sys.exit(main())
