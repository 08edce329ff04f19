"""The page: what it says, that nothing foreign gets into its markup, and how a browser shows it."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from danebot.domain.delivery.judgements import Judgement, Served
from danebot.domain.delivery.routes import Dane
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.domain.status.document import LineageStatus
from danebot.render.lineage import run_lines, status_lines
from danebot.verbs.status import _show
from danebot_exporter.endpoints import EndpointReport, Watched
from danebot_exporter.page import FEW, PER_PAGE, PageWish, page
from exporter import sample
from exporter.running import Exporter, exporter
from exporter.sample import NOW

ELEMENTS = (
    "html head meta title link style body div main h1 h2 p span ul ol li a b form input button "
    "article header svg circle line rect text dl dt dd details summary code pre nav footer"
)
TAGS = frozenset(ELEMENTS.split())


class Outline(HTMLParser):
    """Elements, their attributes and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def outline(body: bytes) -> Outline:
    found = Outline()
    found.feed(body.decode())
    found.close()
    return found


def made(tmp_path: Path, *lineages: LineageStatus, **query: str) -> bytes:
    path = sample.write(tmp_path / "status.json", sample.snapshot(lineages))
    return page(path, PageWish.of(query), {}, NOW)


def text(body: bytes) -> str:
    return " ".join("".join(outline(body).words).split())


def order(body: bytes) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", body.decode())


# ---- what it says ---------------------------------------------------------------------------


def test_each_situation_says_what_to_do(tmp_path: Path) -> None:
    words = text(made(tmp_path, *sample.every_situation()))
    for phrase in (
        "add now: _25._tcp.mx.example.org. IN TLSA 3 1 1 ",
        "publish what this prints: danebot tlsa smtp.example.net",
        "danebot tlsa smtp.example.net_25._tcp.smtp.example.net. 3600 IN TLSA 3 1 1 ",
        "May be removed from DNS",
        "the ready key cools until 2026-06-02 06:00 UTC (18 h)",
        "mend it; danebot runs it again at every renew",
        "Nothing to do.",
        "danebot init www.example.com",
        "Last danebot renew 2026-06-01 11:00 UTC (1 h ago)",
        "seen everywhere 2026-05-31 06:00 UTC, 1 d 6 h ago",
        "5 live to come",
        "safe to use 2026-06-02 06:00 UTC, in 18 h",
    ):
        assert phrase in words, phrase


def test_the_urgent_come_first(tmp_path: Path) -> None:
    names = order(made(tmp_path, *sample.every_situation()))
    assert set(names[:2]) == {"mx.example.org", "old.example.net"}
    assert names[-2:] == ["mail.example.test", "www.example.com"]


def test_views_and_search(tmp_path: Path) -> None:
    everything = sample.every_situation()
    assert order(made(tmp_path, *everything, show="rolling")) == [
        "imap.example.com",
        "smtp.example.net",
        "mail.example.com",
    ]
    assert len(order(made(tmp_path, *everything, show="attention"))) == 5
    assert order(made(tmp_path, *everything, q=" MAIL.example.c")) == ["mail.example.com"]
    assert "No lineage matches." in text(made(tmp_path, *everything, q="nowhere"))
    assert len(order(made(tmp_path, *everything, show="<b>", page="-1"))) == len(everything)
    assert "Nothing needs attention." in text(
        made(tmp_path, sample.lineage("a.example"), show="attention")
    )
    assert "There are no lineages yet." in text(made(tmp_path))


def test_what_services_were_seen_to_serve_counts(tmp_path: Path) -> None:
    names = ("a.example", "b.example", "c.example")
    document = sample.snapshot([sample.lineage(name) for name in names])
    path = sample.write(tmp_path / "status.json", document)
    reports = {
        name: (
            EndpointReport(
                Watched(name, Endpoint(Hostname(name), 25, Protocol.SMTP), None),
                NOW,
                1.0,
                Dane.APPLIES,
                (Served("192.0.2.25", judgement, judgement.value),),
            ),
        )
        for name, judgement in zip(
            names,
            (Judgement.AUTHENTICATED, Judgement.NO_DANE, Judgement.MISMATCH),
            strict=True,
        )
    }
    body = page(path, PageWish(), reports, NOW)
    assert order(body) == ["c.example", "b.example", "a.example"]
    assert "c.example:25 presents a certificate that no TLSA record matches" in text(body)
    assert "2 need attention" in text(body)
    attention = page(path, PageWish("attention"), reports, NOW)
    assert order(attention) == ["c.example", "b.example"]


def test_an_address_out_of_this_hosts_reach_is_no_alarm(tmp_path: Path) -> None:
    path = sample.write(tmp_path / "status.json", sample.snapshot([sample.lineage("a.example")]))
    served = [
        Served("192.0.2.25", Judgement.AUTHENTICATED, ""),
        Served("2001:db8::25", Judgement.NO_ROUTE, "no route to this address"),
    ]
    watched = Watched("a.example", Endpoint(Hostname("a.example"), 25, Protocol.SMTP), None)
    report = EndpointReport(watched, NOW, 1.0, Dane.APPLIES, tuple(served))
    body = page(path, PageWish(), {"a.example": (report,)}, NOW)
    assert "no-route a.example:25 [2001:db8::25], no route to this address" in text(body)
    assert b'class="chip critical"' not in body
    assert "Nothing to do." in text(body)


def test_a_chip_has_the_colour_of_its_grade(tmp_path: Path) -> None:
    """As the findings beside it, and alerts, have it."""
    path = sample.write(tmp_path / "status.json", sample.snapshot([sample.lineage("a.example")]))
    colours = {
        Judgement.AUTHENTICATED: "fine",
        Judgement.NO_ROUTE: "quiet",
        Judgement.MISMATCH: "critical",
        Judgement.NO_DANE: "warning",
        Judgement.UNREACHABLE: "warning",
        Judgement.COULD_NOT_LOOK: "unjudged",
    }
    watched = Watched("a.example", Endpoint(Hostname("a.example"), 25, Protocol.SMTP), None)
    served = tuple(Served("192.0.2.25", one, "") for one in colours)
    report = EndpointReport(watched, NOW, 1.0, Dane.APPLIES, served)
    body = page(path, PageWish(), {"a.example": (report,)}, NOW).decode()
    found = re.findall(r'class="chip (\w+)">([\w-]+)</span> a\.example:25', body)
    assert {word: colour for colour, word in found} == {
        one.value: colour for one, colour in colours.items()
    }


def test_a_page_that_reloads_stays_the_one_that_is_read(tmp_path: Path) -> None:
    many = [sample.lineage(f"m{number:03}.example") for number in range(PER_PAGE + 1)]
    for again, link in (("", "?page=2&amp;again=300"), ("300", "?page=2")):
        body = made(tmp_path, *many, page="2", again=again).decode()
        assert re.findall(r'href="([^"]*)" class="again"', body) == [link]


def test_many_lineages_have_pages(tmp_path: Path) -> None:
    many = [sample.lineage(f"m{number:03}.example") for number in range(2 * PER_PAGE + 1)]
    assert order(made(tmp_path, *many, page="2"))[0] == f"m{PER_PAGE:03}.example"
    assert len(order(made(tmp_path, *many, page="3"))) == 1
    assert "Page 3 of 3" in text(made(tmp_path, *many, page="3"))
    assert order(made(tmp_path, *many, page="99")) == []


def test_of_many_lineages_those_at_rest_take_a_line_each(tmp_path: Path) -> None:
    healthy = [sample.lineage(f"m{number:02}.example") for number in range(FEW)]
    trouble = [one for one in sample.every_situation() if one.phase != "stable" or one.findings]
    body = made(tmp_path, *healthy, *trouble).decode()
    folded = re.findall(r'<article class="card (\w+)"><details class="fold"><summary>', body)
    assert sorted(folded) == [*["fine"] * FEW, "info"], "one is certbot's"
    assert body.count("<article") == len(healthy) + len(trouble)
    assert re.search(r"m00\.example</h2>.*?in 60 d</span></summary>", body)
    assert "fold" not in made(tmp_path, *healthy).decode().partition("</style>")[2]


def test_a_certificate_that_has_expired_since_the_last_run_is_not_at_rest(tmp_path: Path) -> None:
    """The document is old, so its findings don't tell; the clock does."""
    few = [sample.lineage(f"mx{number}.example.org") for number in range(2)]
    for many in (few, [*few, *(sample.lineage(f"m{number}.example.org") for number in range(9))]):
        path = sample.write(tmp_path / "status.json", sample.snapshot(many))
        late = page(path, PageWish(), {}, NOW + timedelta(days=100)).decode()
        assert late.count('class="card critical"') == len(many)
        assert 'class="card fine"' not in late
        assert "<summary><h2>" not in late


def test_one_that_has_expired_counts_in_the_header_and_in_its_view(tmp_path: Path) -> None:
    """An hour after a run that found nothing, the certificate's end is over."""
    status = sample.lineage("mail.example.org")
    assert status.live is not None
    live = status.live._replace(not_after=NOW + timedelta(hours=1))
    path = sample.write(tmp_path / "status.json", sample.snapshot([status._replace(live=live)]))
    for hours, many in ((0, 0), (2, 1)):
        now = NOW + timedelta(hours=hours)
        body = page(path, PageWish("attention"), {}, now).decode()
        assert ("Nothing needs attention" in body) == (not many)
        assert f"{many} need{'s' if many == 1 else ''} attention" in body
        assert ("1 critical" in body) == bool(many)
        assert ("<title>1 matter on " in body) == bool(many)


def test_what_is_left_to_certbot_is_not_green(tmp_path: Path) -> None:
    """It is under nobody's care: its key may change while records rely on it."""
    (free,) = (one for one in sample.every_situation() if one.management == "pass-through")
    for beside in (0, FEW + 1):
        ours = [sample.lineage(f"m{number}.example.org") for number in range(beside)]
        body = made(tmp_path, free, *ours).decode()
        assert (body.count("card info"), body.count("card fine")) == (1, beside)


def test_where_nothing_is_watched_the_header_is_not_green(tmp_path: Path) -> None:
    (free,) = (one for one in sample.every_situation() if one.management == "pass-through")
    for lineages, words in (
        ((), "no lineage is known to danebot"),
        ((free, free._replace(name="www.example.org")), "all 2 lineages are left to certbot"),
    ):
        body = made(tmp_path, *lineages)
        assert "Not everything can be judged" in text(body)
        assert words in text(body)
        assert "chip fine" not in body.decode()
    ours = sample.lineage("mx.example.org")
    assert "left to certbot, so" not in text(made(tmp_path, free, ours))


def test_a_run_of_the_future_is_not_of_now(tmp_path: Path) -> None:
    """The clock is wrong: it said "0 s ago" of a run that is to end in two months."""
    path = sample.write(tmp_path / "status.json", sample.snapshot([sample.lineage("mx.test")]))
    early = NOW - timedelta(days=60)
    shown = text(page(path, PageWish.of({}), {}, early))
    assert re.search(r"Last danebot renew \S+ \S+ UTC \(in (59|60) d", shown)
    run = sample.snapshot([]).last_renew
    assert run is not None
    (line,) = run_lines(run, early)
    assert re.search(r"\(in (59|60) d", line)


def test_an_option_is_not_broken_in_two(tmp_path: Path) -> None:
    """A browser breaks after a hyphen: `- -no-dane` is nothing to type."""
    remedy = "danebot init --no-dane mail.example.org, or -v <status> -"
    found = sample.finding("mail.example.org", "unprotected", "warning", "x -- y", remedy)
    status = sample.lineage("mail.example.org")._replace(findings=(found,))
    body = made(tmp_path, status).decode()
    assert '<span class="word">--no-dane</span> mail' in body
    assert '<span class="word">-v</span> &lt;status&gt;' in body
    assert "x -- y" in body
    assert remedy in text(body.encode())


def test_one_is_not_many(tmp_path: Path) -> None:
    assert "1 needs attention" in text(made(tmp_path, sample.mismatch("a.example")))
    assert "1 waits for you" in text(made(tmp_path, sample.staged("a.example")))


def test_a_rollover_is_drawn_with_all_its_steps(tmp_path: Path) -> None:
    drawing = made(tmp_path, sample.cooling("mail.example.com")).decode()
    found = re.findall(r'<circle cx="([\d.]+)%".*? class="mark (\w+)"', drawing)
    xs = [float(x) for x, _ in found]
    assert xs == sorted(xs)
    assert len(xs) == 7
    assert [kind for _, kind in found] == ["reached"] * 2 + ["ahead"] * 5
    (here,) = re.findall(r'<line x1="([\d.]+)%', drawing)
    part = 30 / 48  # 30 h since it was seen, 18 h to go
    assert float(here) == pytest.approx(xs[1] + (xs[2] - xs[1]) * part, abs=0.1)


def test_a_document_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert "danebot renew writes it" in text(page(tmp_path / "absent", PageWish(), {}, NOW))


def test_a_record_that_is_to_be_copied_is_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``3 1 0`` of an RSA key of 8192 bits, at a name as long as there are."""
    name = ".".join(["a" * 61] * 4)
    record = f"_25._tcp.{name[:240]}. 3600 IN TLSA 3 1 0 {'ab' * 1062}"
    status = sample.lineage("mail.example.test")
    status = status._replace(publication=status.publication._replace(add=(record,)))
    assert record in text(made(tmp_path, status))
    for line in status_lines(status, NOW):
        _show(line)
    assert record in capsys.readouterr().out


def test_the_last_changes_are_listed_the_newest_first(tmp_path: Path) -> None:
    events = [sample.event(name, f"change {n}") for n in range(12) for name in ("a.example",)]
    events.append(sample.event("b.example", "another"))
    document = sample.snapshot(sample.every_situation())._replace(events=tuple(events))
    path = sample.write(tmp_path / "status.json", document)
    shown = text(page(path, PageWish(), {}, NOW))
    assert shown.index("b.example: another") < shown.index("a.example: change 11")
    assert "a.example: change 3" in shown
    assert "a.example: change 2" not in shown
    found = text(page(path, PageWish(search="b.example"), {}, NOW))
    assert "b.example: another" in found
    assert "a.example: change" not in found


# ---- nothing foreign in the markup ----------------------------------------------------------


@pytest.mark.parametrize("evil", sample.HOSTILE)
def test_hostile_text_is_text(evil: str, tmp_path: Path) -> None:
    base = sample.deployed("mail.example.com")
    hostile = base._replace(
        name=evil,
        phase=evil,
        doing=evil,
        live=sample.certificate("a")._replace(names=(evil, evil)),
        current=sample.key("x", evil),
        records=(base.records[0]._replace(role=evil, owner=evil, record=evil, present_at=(evil,)),),
        publication=base.publication._replace(add=(evil,), remove=(evil,)),
        pending_hooks=(base.pending_hooks[0]._replace(hook=evil, error=evil),),
        probes=(base.probes[0]._replace(endpoint=evil, address=evil, outcome=evil),),
        findings=(sample.finding(evil, evil, evil, evil, evil),),
    )
    run = sample.finding(evil, evil, "warning", evil, evil)
    event = sample.event(evil, evil)._replace(kind=evil)
    document = sample.snapshot([hostile])._replace(findings=(run,), events=(event,))
    path = sample.write(tmp_path / "status.json", document)
    body = page(path, PageWish.of({}), {}, NOW)
    found = outline(body)
    assert found.tags == TAGS - {"nav", "form", "input", "button"}
    assert not [name for name in found.attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", body.decode())
    searched = page(path, PageWish.of({"q": evil, "show": "all"}), {}, NOW)
    assert outline(searched).tags <= TAGS
    assert b"<script" not in body + searched


# ---- in a browser ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    where = tmp_path_factory.mktemp("page")
    evil = [sample.cooling("x")._replace(name=text) for text in sample.HOSTILE]
    document = sample.snapshot([*sample.every_situation(), *evil])
    with exporter("--snapshot", sample.write(where / "status.json", document)) as found:
        yield found


def browse(profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.fail("chromium is not installed: make deps")
    return subprocess.run(
        [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            f"--user-data-dir={profile}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )


def test_a_browser_shows_it_without_complaint(running: Exporter, tmp_path: Path) -> None:
    run = browse(
        tmp_path / "profile",
        *("--enable-logging=stderr", "--v=0", "--hide-scrollbars", "--window-size=1100,3000"),
        f"--screenshot={tmp_path / 'page.png'}",
        f"http://127.0.0.1:{running.port}/",
    )
    said = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    assert not [line for line in said if "source: chrome://" not in line]  # the browser's own pages
    assert len(set(rows(tmp_path / "page.png"))) > 200  # not blank


OFF = """<head><meta http-equiv="Content-Security-Policy" content="script-src 'none'">"""
NEEDY = "<html><head></head><p>off</p><script>document.body.textContent = 'on'</script></html>"


def test_it_looks_the_same_without_javascript(running: Exporter, tmp_path: Path) -> None:
    """A page that does need scripts is seen to change, so that they are really off."""
    seen = {}
    for name, body in ("needy", NEEDY), ("page", running.get("/")[1]):
        assert body.count("<head>") == 1
        for scripts, head in ("on", "<head>"), ("off", OFF):
            path, picture = tmp_path / "page.html", tmp_path / f"{name}-{scripts}.png"
            path.write_text(body.replace("<head>", head), encoding="utf-8")
            browse(
                tmp_path / "profile",
                *(f"--screenshot={picture}", "--window-size=1100,3000", path.as_uri()),
            )
            seen[name, scripts] = rows(picture)
    assert seen["needy", "on"] != seen["needy", "off"]
    assert seen["page", "on"] == seen["page", "off"]
    assert len(set(seen["page", "off"])) > 200  # not blank


MEASURE = """<iframe src="page.html" style="border:0;width:{width}px;height:600px"></iframe>
<script>onload = () => {{
  const inner = document.querySelector("iframe").contentDocument.documentElement;
  document.body.textContent = "[" + inner.scrollWidth + "," + inner.clientWidth + "," +
    inner.querySelectorAll("article").length + "]";
}}</script>"""


@pytest.mark.parametrize("width", [390, 1100])
def test_it_fits(width: int, running: Exporter, tmp_path: Path) -> None:
    """In a frame, since a window is at least 500 pixels wide, and of a file, to be measured."""
    (tmp_path / "page.html").write_text(running.get("/")[1], encoding="utf-8")
    (tmp_path / "frame.html").write_text(MEASURE.format(width=width))
    run = browse(
        tmp_path / "profile",
        *("--allow-file-access-from-files", "--window-size=1200,800", "--dump-dom"),
        (tmp_path / "frame.html").as_uri(),
    )
    found = re.search(r"\[(\d+),(\d+),(\d+)\]", run.stdout)
    assert found is not None, run.stdout
    wide, window, cards = map(int, found.groups())
    assert (wide, cards) == (window, 8 + len(sample.HOSTILE))
    assert width - 20 <= window <= width


def rows(path: Path) -> list[bytes]:
    """The rows of a PNG, decompressed but not unfiltered: enough to tell blank from drawn."""
    data = path.read_bytes()
    at, parts, width = 8, b"", 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IHDR":
            (width,) = struct.unpack(">I", data[at + 8 : at + 12])
        if kind == b"IDAT":
            parts += data[at + 8 : at + 8 + size]
        at += size + 12
    raw = zlib.decompress(parts)
    stride = width * 3 + 1  # RGB and the filter
    return [raw[start : start + stride] for start in range(0, len(raw), stride)]
