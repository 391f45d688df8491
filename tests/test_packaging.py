"""How the package is built and installed: links for an index, sizes before a download, remedies for what is missing."""

import re
import sys
from pathlib import Path

import pytest

from deepspine_sct.errors import EXTRA_OF, missing_package

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import build_release  # noqa: E402
import install_torch  # noqa: E402

ADDRESS = "https://example.org/lab/deepspine_sct"


def test_every_link_of_the_readme_is_absolute_on_an_index():
    """No link stays relative, none that was absolute changes, and every one leads to a file that exists."""
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", build_release.absolute_links(text, ADDRESS, "v1"))
    assert links
    assert all(link.startswith(("https://", "#")) for link in links)
    for link in links:
        if link.startswith(ADDRESS):
            _, _, path = link.removeprefix(f"{ADDRESS}/").split("/", 2)
            assert (ROOT / path.partition("#")[0]).exists(), link


def test_a_picture_is_linked_as_a_file_and_a_page_as_a_page():
    """An index shows a picture from its bytes; a page about it would stay blank."""
    text = "![a](docs/a.png) [b](docs/b.md#c) [d](https://e.org/f) [g](#h)"
    assert build_release.absolute_links(text, ADDRESS, "v1") == (
        f"![a]({ADDRESS}/raw/v1/docs/a.png) [b]({ADDRESS}/blob/v1/docs/b.md#c) [d](https://e.org/f) [g](#h)"
    )


def test_the_urls_are_added_to_the_metadata():
    """The table of URLs keeps what it holds and gets the address of the project."""
    text = build_release.with_urls((ROOT / "pyproject.toml").read_text(), ADDRESS, "v1")
    table = text.partition("[project.urls]\n")[2].partition("\n\n")[0]
    assert f'"Source" = "{ADDRESS}"' in table
    assert "spinalcordtoolbox.com" in table


@pytest.mark.parametrize("address", ["http://example.org/a/b", "example.org/a/b", "https://example.org/a"])
def test_an_address_that_is_none_is_refused(address, capsys):
    """The links would lead nowhere, on a page that cannot be changed afterwards."""
    with pytest.raises(SystemExit):
        build_release.main([address])
    assert address in capsys.readouterr().err


def report(*names: str) -> list[dict]:
    """Entries of pip's report for packages of these names."""
    return [{"metadata": {"name": name, "version": "2.0"}, "download_info": {"url": ""}} for name in names]


def test_the_size_is_said_before_the_download():
    """A small build needs one line; a large one also says how to stop and what works without it."""
    small = install_torch.describe(report("torch", "sympy"), [200_000_000, 6_000_000])
    assert small == "torch 2.0 for the CPU: 2 packages, 206 MB to get."
    large = install_torch.describe(report("torch", "nvidia-cublas"), [900_000_000, 2_000_000_000])
    assert "for the GPU: 2 packages, 2,900 MB" in large
    assert "Ctrl-C" in large


def test_sizes_that_are_not_known_are_not_hidden():
    """A file that cannot be asked for is counted, and a pip that does not tell is named."""
    assert "size of 1 of them is not known" in install_torch.describe(report("torch", "sympy"), [200_000_000, None])
    assert "does not tell" in install_torch.describe([], [])


def test_an_index_out_of_reach_is_left_out(monkeypatch):
    """pip would ask it again for every package; without it, its own configuration decides."""
    monkeypatch.setattr(install_torch, "size_bytes", lambda url: None)
    assert install_torch.cpu_index_options() == []
    monkeypatch.setattr(install_torch, "size_bytes", lambda url: 0)
    monkeypatch.setattr(install_torch.sys, "platform", "linux")
    assert install_torch.cpu_index_options() == ["--extra-index-url", install_torch.CPU_INDEX]


def test_the_size_of_a_file_on_the_disk_is_its_own(tmp_path):
    """Wheels may lie in a folder that pip's configuration names; an address without a server is not known."""
    wheel = tmp_path / "a wheel.whl"
    wheel.write_bytes(b"123")
    assert install_torch.size_bytes(wheel.as_uri()) == 3
    assert install_torch.size_bytes("http://127.0.0.1:9/wheel") is None


def test_where_torch_is_nothing_is_done(monkeypatch):
    """A build that somebody chose is not replaced."""
    monkeypatch.setattr(install_torch, "plan", lambda options: pytest.fail("asked pip"))
    assert install_torch.main(["torch"]) == 0


@pytest.mark.parametrize("name", EXTRA_OF)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(name):
    """The remedy is one command, which works wherever the package itself was installed from."""
    (line,) = missing_package(f"{name}.inner").splitlines()
    assert f"'{name}' is missing" in line
    assert f"pip install 'deepspine_sct[{EXTRA_OF[name]}]'" in line
