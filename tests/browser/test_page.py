"""The page in a real browser: accessible, quiet, whole on a phone, on paper and in the dark."""

import os
from pathlib import Path

import pytest

SIZES = {1280: 900, 390: 844}
VIEWS = [(scheme, width) for scheme in ("light", "dark") for width in SIZES]
OPEN_ALL = (
    "document.querySelectorAll('details').forEach((part) => {"
    " part.removeAttribute('name'); part.open = true; })"
)
# axe cannot judge text on a gradient: the shades at the edges of what scrolls sideways
NO_SHADES = (
    "document.querySelectorAll('.scroll').forEach((part) => { part.style.background = 'none'; })"
)
RUN_AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(
    (found) => `${found.id}: ${found.nodes.slice(0, 3).map((node) => node.html).join(' | ')}`)"""

UNDECIDED = """async () => (await axe.run(document, {runOnly: ['color-contrast']})).incomplete.flatMap(
    (found) => found.nodes).filter((node) => !node.html.match(/^<(text|tspan|svg)/) &&
    node.any.some((check) => check.data.messageKey.match(/gradient|image|bg/i)))
    .map((node) => `${node.any[0].message} ${node.html.slice(0, 160)}`)"""
# axe does not read plots: the text of each against the last shape that was drawn below it
PALE = """() => {
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const fill = (part) => getComputedStyle(part).fill;
  const behind = (text) => {
    const box = text.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const below = [...text.ownerSVGElement.querySelectorAll('path, rect, use')].filter((shape) => {
      const b = shape.getBoundingClientRect();
      return fill(shape) !== 'none' && b.left <= x && x <= b.right && b.top <= y &&
        y <= b.bottom && shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING;
    });
    return below.length ? fill(below.at(-1)) : getComputedStyle(document.body).backgroundColor;
  };
  return [...document.querySelectorAll('figure svg text')].map((text) => {
    const [high, low] = [fill(text), behind(text)].map(light).sort((a, b) => b - a);
    return [(high + 0.05) / (low + 0.05), text.textContent];
  }).filter(([ratio]) => ratio < 4.5);
}"""


class Visit:
    """A page that was opened, with everything it asked for and complained about."""

    def __init__(self, browser, address, scheme="light", width=1280):
        self.context = browser.new_context(
            viewport={"width": width, "height": SIZES[width]}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.context.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108 - playwright marks its handlers
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.address = address
        self.page.goto(address, wait_until="load")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.context.close()


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [*(("complete", *view) for view in VIEWS), *(("hostile", *view) for view in VIEWS[::3])],
)
def test_axe_finds_nothing(browser, site, artefacts, name, scheme, width):  # noqa: PLR0917
    with Visit(browser, f"{site}/{name}/report.html", scheme, width) as visit:
        visit.page.screenshot(path=artefacts / f"{name}-{scheme}-{width}.png", full_page=True)
        visit.page.evaluate(OPEN_ALL)
        visit.page.evaluate(NO_SHADES)
        visit.page.evaluate(Path(os.environ["AXE"]).read_text(encoding="utf-8"))
        assert visit.page.evaluate(RUN_AXE) == []
        assert visit.page.evaluate(UNDECIDED) == []
        assert visit.page.evaluate(PALE) == []


@pytest.mark.parametrize("name", ["gaps", "empty"])
def test_axe_finds_nothing_in_a_week_with_gaps_or_without_data(browser, site, artefacts, name):
    with Visit(browser, f"{site}/{name}/report.html", "dark", 390) as visit:
        visit.page.screenshot(path=artefacts / f"{name}-dark-390.png", full_page=True)
        visit.page.evaluate(Path(os.environ["AXE"]).read_text(encoding="utf-8"))
        assert visit.page.evaluate(RUN_AXE) == []


@pytest.mark.parametrize("name", ["complete", "gaps", "empty", "hostile"])
def test_the_page_asks_for_nothing_and_its_own_policy_does_not_break_it(browser, site, name):
    address = f"{site}/{name}/report.html"
    with Visit(browser, address) as visit:
        visit.page.evaluate(OPEN_ALL)
        visit.page.wait_for_load_state("networkidle")
        assert [request.url for request in visit.requests] == [address]
        assert visit.complaints == []
        style = "getComputedStyle(document.querySelector('.page')).maxWidth"
        assert visit.page.evaluate(style) == "1120px"


def test_the_policy_stops_what_an_attacker_might_smuggle_in(browser, site):
    with Visit(browser, f"{site}/complete/report.html") as visit:
        visit.page.evaluate(
            """() => { document.body.insertAdjacentHTML('beforeend',
            '<img src="/pixel.png"><div style="color: red">x</div>');
            const script = document.createElement('script'); script.textContent = 'window.ran = 1';
            document.body.append(script); }"""
        )
        visit.page.wait_for_load_state("networkidle")
        assert visit.page.evaluate("window.ran") is None
        (pixel,) = (request for request in visit.requests if request.url.endswith("pixel.png"))
        assert pixel.failure == "csp"
        assert len(visit.complaints) == 3


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("name", ["complete", "hostile", "empty"])
def test_the_page_never_scrolls_sideways(browser, site, name, width):
    with Visit(browser, f"{site}/{name}/report.html", width=width) as visit:
        visit.page.evaluate(OPEN_ALL)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_charts_and_page_turn_dark_together(browser, site):
    ink = "getComputedStyle(document.querySelector('figure.plot svg text')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        with Visit(browser, f"{site}/complete/report.html", scheme) as visit:
            seen[scheme] = [visit.page.evaluate(ink), visit.page.evaluate(paper)]
    brightness = {
        scheme: [sum(int(n) for n in colour[4:-1].split(",")) for colour in colours]
        for scheme, colours in seen.items()
    }
    assert brightness["light"][0] < brightness["light"][1] - 400
    assert brightness["dark"][1] < brightness["dark"][0] - 400


def test_the_keyboard_reaches_everything(browser, site):
    with Visit(browser, f"{site}/complete/report.html", width=390) as visit:
        page = visit.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        box = page.locator(".skip").bounding_box()
        assert box["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.locator("details:not([open]) > summary").first.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.parentElement.open")
        unreachable = """[...document.querySelectorAll('*')].filter((part) =>
            part.scrollWidth > part.clientWidth + 1 && part.tabIndex < 0 &&
            ['auto', 'scroll'].includes(getComputedStyle(part).overflowX)).length"""
        assert page.evaluate(unreachable) == 0


def test_the_printed_page_has_what_the_screen_folds_away(browser, site, artefacts):
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed: pip install '.[browser]'")
    with Visit(browser, f"{site}/complete/report.html", "dark") as visit:
        folded = visit.page.locator("details:not([open]) table").first
        assert not folded.is_visible()
        path = artefacts / "complete.pdf"
        visit.page.pdf(path=path, prefer_css_page_size=True, print_background=False)
    pages = [page.extract_text() for page in pypdf.PdfReader(path).pages]
    text = "".join("".join(pages).split())
    for words in ("rotatetheappsecret", "7573000000000000000", "38distinctAPIs", "WHATHAPPENED"):
        assert words in text
    assert len(pages) < 40
    assert all(page.strip() for page in pages)


def test_with_everything_closed_the_page_is_short(browser, site):
    with Visit(browser, f"{site}/complete/report.html") as visit:
        height = visit.page.evaluate("document.documentElement.scrollHeight")
        visit.page.evaluate(OPEN_ALL)
        opened = visit.page.evaluate("document.documentElement.scrollHeight")
    # as tall as 20,162 px before a finding was one line until it is opened
    assert height < 10_000
    assert opened > 2 * height


def test_filters_leave_what_was_chosen(browser, site):
    with Visit(browser, f"{site}/complete/report.html") as visit:
        page = visit.page
        everything = page.locator(".row:visible").count()
        page.locator("#only-critical").check()
        shown = page.locator(".row:visible")
        assert 0 < shown.count() < everything
        assert shown.count() == page.locator(".s-critical:visible").count()
        page.locator("#only-continuing").check()
        assert page.locator(".row:visible:not(.t-continuing)").count() == 0
        for name in ("severity", "status"):
            page.locator(f'input[name="{name}"]').first.check()
        assert page.locator(".row:visible").count() == everything


def test_an_anchor_opens_its_card_and_one_card_closes_the_other(browser, site):
    with Visit(browser, f"{site}/complete/report.html") as visit:
        page = visit.page
        links = page.locator(".list th a")
        for n in (1, 0):
            links.nth(n).click()
            name = links.nth(n).get_attribute("href")
            assert page.locator(name).is_visible()
            assert page.locator(".card[open]").count() == 1
        page.locator("nav a", has_text="Method").click()
        assert page.locator("#method").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_axe_finds_nothing_in_the_overview(browser, site, artefacts, scheme, width):
    with Visit(browser, f"{site}/index.html", scheme, width) as visit:
        visit.page.screenshot(path=artefacts / f"index-{scheme}-{width}.png", full_page=True)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        visit.page.evaluate(Path(os.environ["AXE"]).read_text(encoding="utf-8"))
        assert visit.page.evaluate(RUN_AXE) == []
        assert visit.complaints == []
