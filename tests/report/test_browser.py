"""The page in a real browser: it loads from a file, asks for nothing, sorts, filters and enlarges."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from report_ablation import write_ablation
from report_runs import write_attack

from rgbdsod.report import report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install 'rgbdsod[dev]')")
support = pytest.importorskip("selenium.webdriver.support.ui")
exceptions = pytest.importorskip("selenium.common.exceptions")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no headless browser: apt-get install chromium chromium-driver"
)
IDS = ("one", "two", "three", "four", "img10", "img9")


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1000"]
    for flag in (*flags, "--disable-background-networking", "--disable-component-update", "--no-first-run"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write_attack(tmp_path_factory.mktemp("runs") / "a run", ids=IDS, size=(60, 80))
    return report(folder).as_uri()


@pytest.fixture
def page(driver: Any, address: str) -> Any:
    """The page, freshly loaded; afterwards the console must be empty."""
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(address)
    yield driver
    assert driver.get_log("browser") == []


def _js(page: Any, code: str, *arguments: Any) -> Any:
    return page.execute_script(code, *arguments)


def _shown(page: Any) -> list[str]:
    code = "return [...document.querySelectorAll('.card')].filter(c => c.offsetParent).map(c => c.dataset.id)"
    return list(_js(page, code))


def _choose(page: Any, name: str, value: str) -> None:
    code = """
    const field = document.querySelector(`[data-gallery] [name="${arguments[0]}"]`);
    field.value = arguments[1];
    field.dispatchEvent(new Event("input", {bubbles: true}));
    """
    _js(page, code, name, value)


def _press(page: Any, key: str) -> None:
    page.switch_to.active_element.send_keys(getattr(webdriver.Keys, key, key))


def _focus_arrives(page: Any, kind: str) -> bool:
    """Whether the focus gets to a panel; a browser tells the page of a closed dialog some time after closing it."""
    code = "return document.activeElement.dataset.kind"
    try:
        return bool(support.WebDriverWait(page, 10).until(lambda _: _js(page, code) == kind))
    except exceptions.TimeoutException:
        return False


def _lightbox(page: Any) -> tuple[bool, str, str]:
    code = """
    const box = document.getElementById("lightbox");
    const text = (name) => box.querySelector(`[data-text="${name}"]`).textContent;
    return [box.open, text("id"), text("kind")];
    """
    return tuple(_js(page, code))


def _enlarge(page: Any, sample_id: str, kind: str) -> None:
    css = f'.card[data-id="{sample_id}"] .panel[data-kind="{kind}"]'
    _js(page, "document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})", css)
    page.find_element("css selector", css).click()
    drawn = "document.querySelector('#lightbox img').decode().then(() => requestAnimationFrame(arguments[0]))"
    page.execute_async_script(drawn)


def test_it_loads_whole_and_asks_for_nothing(page: Any, address: str) -> None:
    images = _js(
        page,
        "return Promise.all([...document.images].filter(i => i.src).map(i => {"
        "i.loading = 'eager'; return i.decode().then(() => i.naturalWidth) }))",
    )
    assert len(images) == len(IDS) * 7
    assert set(images) == {80}
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert [url for url in urls if not url.startswith("data:")] == [address]


def test_the_most_damaged_come_first(page: Any) -> None:
    assert _shown(page) == ["img9", "img10", "four", "three", "two", "one"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("id", ["four", "img9", "img10", "one", "three", "two"]),
        ("iou", ["img9", "img10", "four", "three", "two", "one"]),
    ],
)
def test_sorting_reorders(page: Any, order: str, expected: list[str]) -> None:
    _choose(page, "sort", "id")
    _choose(page, "sort", order)
    assert _shown(page) == expected


def test_filter_and_find(page: Any) -> None:
    _choose(page, "show", "fooled")
    assert _shown(page) == ["img9", "img10", "four", "three"]
    _choose(page, "find", "IMG")
    assert _shown(page) == ["img9", "img10"]
    assert _js(page, "return document.querySelector('[data-gallery] output').value") == "2 of 6 images"
    _choose(page, "show", "held")
    assert _shown(page) == []
    _choose(page, "find", "")
    assert _shown(page) == ["one"]


def test_lightbox_by_keyboard(page: Any) -> None:
    _enlarge(page, "four", "depth")
    assert _lightbox(page) == (True, "four", "depth")
    _press(page, "ARROW_RIGHT")
    assert _lightbox(page) == (True, "four", "adversarial depth")
    _press(page, "ARROW_DOWN")
    assert _lightbox(page) == (True, "three", "adversarial depth")
    _press(page, "ARROW_UP")
    _press(page, "ARROW_LEFT")
    _press(page, "ARROW_LEFT")
    _press(page, "ARROW_LEFT")
    assert _lightbox(page) == (True, "four", "attacked map"), "from the first panel to the last"
    _press(page, "ESCAPE")
    assert not _lightbox(page)[0]
    assert _focus_arrives(page, "attacked_map"), "the focus goes to the panel that was seen last"


def test_lightbox_walks_through_the_images_shown(page: Any) -> None:
    _choose(page, "show", "fooled")
    _enlarge(page, "three", "mask")
    _press(page, "ARROW_DOWN")
    assert _lightbox(page)[1] == "img9", "from the last image shown to the first"


def test_lightbox_zooms_by_whole_pixels_and_links_the_stored_file(page: Any) -> None:
    _enlarge(page, "four", "rgb")
    code = "const i = document.querySelector('#lightbox img'); return [i.clientWidth, i.naturalWidth, i.naturalHeight]"
    width, natural, height = _js(page, code)
    assert (natural, height) == (80, 60)
    assert width % natural == 0, "whole pixels"
    assert width > natural, "enlarged"
    _press(page, "+")
    assert _js(page, code)[0] == width + natural
    for _ in range(40):
        _press(page, "-")
    assert _js(page, code)[0] == natural / 4
    _press(page, "0")
    assert _js(page, code)[0] == width
    link = _js(page, "return document.querySelector('#lightbox a').href")
    assert link.endswith("/a%20run/images/four/rgb.png")
    assert "80 \N{MULTIPLICATION SIGN} 60 pixels, shown at" in _js(
        page, "return document.querySelector('[data-text=size]').textContent"
    )


def test_lightbox_buttons(page: Any) -> None:
    _enlarge(page, "four", "rgb")
    for label, kind in (("Next panel", "depth"), ("Previous panel", "RGB"), ("Next image", "RGB")):
        page.find_element("css selector", f'#lightbox [aria-label="{label}"]').click()
        assert _lightbox(page)[2] == kind
    page.find_element("css selector", '#lightbox [aria-label="Close"]').click()
    assert not _lightbox(page)[0]


def test_table_sorts_by_a_column(page: Any) -> None:
    code = """
    document.querySelector("[id$=-rows] details").open = true;
    const table = document.querySelector("table[data-sortable]");
    const head = [...table.tHead.rows[0].cells].find(cell => cell.textContent.includes(arguments[0]));
    head.querySelector("button").click();
    return [[...table.tBodies[0].rows].map(row => row.cells[0].textContent.trim()), head.getAttribute("aria-sort")];
    """
    assert _js(page, code, "Sm attacked") == [["one", "two", "three", "four", "img10", "img9"], "descending"]
    assert _js(page, code, "Sm attacked") == [["img9", "img10", "four", "three", "two", "one"], "ascending"]
    assert _js(page, code, "id") == [["two", "three", "one", "img10", "img9", "four"], "descending"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page with the widest tables: both inputs, several radii."""
    folder = tmp_path_factory.mktemp("runs") / "wide"
    return report(write_attack(folder, eps=(2 / 255, 4 / 255, 8 / 255), modality="both")).as_uri()


@pytest.mark.parametrize("width", [320, 400, 768, 1280])
def test_no_width_scrolls_sideways(page: Any, wide: str, width: int) -> None:
    page.get(wide)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        content, window = _js(page, "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
        assert content == window
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module")
def ablation(tmp_path_factory: pytest.TempPathFactory) -> str:
    options = {"models": ("bbsnet",), "trainings": ("plain",), "attacks": ("pgd",)}
    return report(write_ablation(tmp_path_factory.mktemp("runs") / "ablation", **options)).as_uri()


@pytest.mark.parametrize("width", [360, 1280])
def test_wide_tables_and_figures_of_an_ablation_scroll_in_their_box(page: Any, ablation: str, width: int) -> None:
    page.get(ablation)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        content, window = _js(page, "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
        assert content == window
        code = """
        const box = document.querySelector(".grouped");
        const [first, second] = box.querySelectorAll("tbody tr:first-child > *");
        const places = () => [first, second].map(e => Math.round(e.getBoundingClientRect().left));
        const before = places();
        box.scrollLeft = 120;
        return [box.scrollLeft, before, places()];
        """
        moved, before, after = _js(page, code)
        assert moved > 50
        assert before == after, "fusion and training stay in sight"
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


_CONTRAST = """
const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
const back = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const [r, g, b, a = 1] = numbers(getComputedStyle(e).backgroundColor);
    if (a) return [r, g, b];
  }
};
const lowest = [21, ""];
for (const e of document.querySelectorAll("body *:not(svg *):not(script):not(dialog *)")) {
  if (!e.offsetParent || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
  const pair = [light(numbers(getComputedStyle(e).color)), light(back(e))].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (ratio < lowest[0]) { lowest[0] = ratio; lowest[1] = e.outerHTML.slice(0, 120); }
}
return lowest;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_schemes(page: Any, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    ratio, where = _js(page, _CONTRAST)
    assert ratio >= 4.5, where
    paper = _js(page, "return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
