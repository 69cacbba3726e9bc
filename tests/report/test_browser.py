"""The page in a real browser, on a wide and a narrow window."""

import json
import re
import shutil
import subprocess
from html import escape, unescape

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# The browser itself must not use the network.
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    "--hide-scrollbars",
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# A headless window is at least 500 pixels wide, a frame may be narrower. It has the page as an
# attribute, so this script may look into it.
WRAPPER = """<!DOCTYPE html>
<body style="margin: 0">
<iframe id="page" style="border: 0; width: WIDTHpx; height: 3000px" srcdoc="SOURCE"></iframe>
<pre id="result"></pre>
<script>
window.addEventListener("load", () => {
  const view = document.getElementById("page").contentWindow;
  const root = view.document.documentElement;
  const beyond = [...view.document.querySelectorAll("body *")].filter(
    one => !one.closest(".scroll, .hidden, svg") && one.getBoundingClientRect().right > WIDTH + 1
  );
  const scheme = view.getComputedStyle(root).colorScheme;
  document.getElementById("result").textContent = JSON.stringify({
    width: root.clientWidth,
    scroll_width: root.scrollWidth,
    beyond: beyond.map(one => one.outerHTML.slice(0, 200)),
    resources: view.performance.getEntriesByType("resource").map(one => one.name)
      .filter(name => !name.startsWith("data:")),
    scripts: view.document.scripts.length,
    images: [...view.document.images].map(one => one.naturalWidth),
    marks: view.document.querySelectorAll("mark.entity").length,
    scrolling: [...view.document.querySelectorAll(".scroll")].filter(
      one => one.scrollWidth > one.clientWidth).length,
    row_names: [...view.document.querySelectorAll(".matrix tbody th")].map(
      one => one.offsetWidth / one.closest(".scroll").clientWidth),
    column_names: [...view.document.querySelectorAll(".matrix thead th")].map(
      one => one.offsetWidth),
    title: view.document.title,
  });
});
</script>
"""


@pytest.fixture
def look(tmp_path):
    """Open a page in a window of the given width, and return what the script finds."""
    found = [path for path in map(shutil.which, BROWSERS) if path]
    if not found:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")

    def open_page(html, width):
        path = tmp_path / f"{width}.html"
        wrapper = WRAPPER.replace("WIDTH", str(width)).replace("SOURCE", escape(html))
        path.write_text(wrapper, encoding="utf-8")
        profile = f"--user-data-dir={tmp_path / f'profile-{width}'}"
        window = f"--window-size={max(width, 500)},1000"
        result = subprocess.run(
            [found[0], *OPTIONS, profile, window, "--dump-dom", path.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        (said,) = re.findall(r'<pre id="result">(.*?)</pre>', result.stdout, flags=re.DOTALL)
        return json.loads(unescape(said))

    return open_page


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 390, 360])
def test_browser_shows_the_page(look, render, make_report, width):
    long = "https://example.org/" + "long" * 60
    found = look(render(make_report(text=f"Ann {long}")), width)
    assert found["width"] == width
    assert found["scroll_width"] == width, found["beyond"]
    assert found["beyond"] == []
    assert found["resources"] == []
    assert found["scripts"] == 0
    assert found["images"] and all(found["images"])
    assert found["marks"] >= 6
    if width < 500:
        assert found["scrolling"] > 0


@pytest.mark.slow
def test_browser_shows_whole_tables_in_a_wide_window(look, render, make_report):
    assert look(render(make_report()), 1400)["scrolling"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 390])
def test_browser_shows_numbers_next_to_long_labels(look, render, make_report, width):
    """Row names stay in place and narrow enough, while the numbers scroll beneath them."""
    found = look(render(make_report(label="long_" * 12)), width)
    assert found["row_names"] and max(found["row_names"]) < 0.6
    assert max(found["column_names"]) < 200


@pytest.mark.slow
def test_browser_does_not_run_hostile_text(look, render, make_report, hostile):
    found = look(render(make_report(text=hostile, label=hostile, project=hostile)), 1400)
    assert found["scripts"] == 0
    assert found["resources"] == []
    assert len(found["images"]) == 2  # the figures of sweep and benchmark
    assert found["title"] == f"Distillation report: {hostile}"
