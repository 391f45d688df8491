"""The browser of the page tests: it never waits for ever."""

import pytest
from browser import CHROMIUM, NO_CHROMIUM, Browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)

EMPTY_TWICE = """<body><script>
if (sessionStorage.loads >= 2) document.body.innerText = "the table";
sessionStorage.loads = Number(sessionStorage.loads || 0) + 1;
</script></body>"""
"""A page that is empty until it is loaded for the third time."""


def test_a_promise_that_is_never_kept_ends_in_time(tmp_path):
    """The wait ends with an error, and the browser answers the next question."""
    (tmp_path / "page.html").write_text("<body>hello</body>")
    with Browser(tmp_path / "page.html", tmp_path) as page:
        with pytest.raises(TimeoutError, match="does not answer"):
            page.value("new Promise(() => {})", timeout_s=0.5)
        assert page.value("document.body.innerText") == "hello"


def test_a_page_that_opens_empty_is_loaded_again(tmp_path):
    """As often as asked and no more: the text comes with the third load, not with the second.

    Where the answer is late, it comes with a later one.
    """
    (tmp_path / "page.html").write_text(EMPTY_TWICE)
    with Browser(tmp_path / "page.html", tmp_path) as page:
        with pytest.raises(TimeoutError, match="never shows 'the table', 1 times loaded"):
            page.wait_for("the table", n_loads=1, timeout_s=0.3)
        assert page.wait_for("the table", n_loads=20, timeout_s=0.3) == "the table"
