"""What people find in the folder of the status page."""

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.dom import minidom

import pytest
from msgspec.structs import replace

from rota.core.board import Board, Proof, Subject, board
from rota.core.freshness import Freshness
from rota.pages import StatusPages

NOW = datetime(2026, 11, 29, 12, 1, tzinfo=UTC)
EDGES = [NOW - timedelta(days=days) for days in (2, 1)]

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "</title><svg onload=alert(1)>",
    "a\x1b[31mred\x07",
    "line\r\nbreak",
    "\u202eevil",
]


def a_board(*names: str, state: Freshness = Freshness.FRESH, warning: str = "", tenant: str = "acme") -> Board:
    subjects = [
        Subject(name=name, description=f"About {name}.", schedules={name: f"daily, {name}"}, tags=("customer",))
        for name in names
    ]
    proofs = [
        Proof(
            schedule=name,
            tenant=tenant,
            state=state,
            last_success=NOW - timedelta(hours=3),
            stale_at=NOW - timedelta(hours=1),
            flipped_at=None,
            failures=2,
        )
        for name in names
    ]
    return board(subjects, proofs, [], edges=EDGES, now=NOW, next_at=NOW + timedelta(minutes=1), warning=warning)


@pytest.fixture
def pages(tmp_path):
    """Write a board; `read` returns the text of a file."""

    class Written:
        folder = tmp_path / "freshness"

        def write(self, made: Board, *, public_tags: tuple[str, ...] = ()) -> None:
            StatusPages(self.folder, title="Jobs of Example", public_tags=public_tags).write(made)

        def read(self, name: str) -> str:
            return (self.folder / name).read_text(encoding="utf-8")

        def names(self) -> list[str]:
            return sorted(path.name for path in self.folder.iterdir())

    return Written()


class Seen(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.text += data


def test_each_job_has_a_page_named_after_it(pages):  # R51
    pages.write(a_board("all_tests_cronjob", "mail"))

    assert pages.names() == [
        "all_tests_cronjob_fresh.html", "all_tests_cronjob_fresh.json", "all_tests_cronjob_fresh.svg",
        "index.html", "index.json", "mail_fresh.html", "mail_fresh.json", "mail_fresh.svg", "status.svg",
    ]  # fmt: skip


def test_the_page_of_a_job_tells_how_each_tenant_stands(pages):  # R51
    pages.write(a_board("mail", state=Freshness.STALE))

    text = " ".join(Seen(pages.read("mail_fresh.html")).text.split())

    assert "■ stale acme 3h ago 1h ago 2" in text
    assert "About mail." in text
    assert "daily, mail" in text


def test_each_page_tells_how_old_it_is_and_when_it_should_be_new(pages):  # R51, H6
    pages.write(a_board("mail"))

    for name in ("index.html", "mail_fresh.html"):
        text = " ".join(Seen(pages.read(name)).text.split())
        assert "Judged 2026-11-29 12:01 UTC, again by 2026-11-29 12:02 UTC." in text
    for name in ("index.json", "mail_fresh.json"):
        told = json.loads(pages.read(name))
        assert (told["at"], told["next_at"]) == ("2026-11-29T12:01:00Z", "2026-11-29T12:02:00Z")


def test_the_instants_that_monitors_read_are_whole_seconds(pages):  # R51, H6
    drawn = a_board("mail")
    odd = timedelta(microseconds=671972)
    pages.write(replace(drawn, at=drawn.at + odd, next_at=drawn.next_at + odd))

    for name in ("index.json", "mail_fresh.json"):
        told = json.loads(pages.read(name))
        # As `fromdate` of jq, which the guide shows, wants them.
        assert (told["at"], told["next_at"]) == ("2026-11-29T12:01:00Z", "2026-11-29T12:02:00Z")


def test_the_overview_leads_to_each_job(pages):
    pages.write(a_board("a/b", "mail"))

    links = Seen(pages.read("index.html")).links

    assert len(links) == 2
    assert all((pages.folder / link).exists() for link in links)


def test_a_state_is_told_by_shape_and_word(pages):
    for state, mark in [
        (Freshness.FRESH, "● fresh"), (Freshness.LATE, "▲ late"), (Freshness.STALE, "■ stale"),
        (Freshness.NEW, "○ new"), (Freshness.PAUSED, "❚❚ paused"),
    ]:  # fmt: skip
        pages.write(a_board("mail", state=state))
        assert mark in Seen(pages.read("index.html")).text


def test_a_page_that_was_made_from_what_was_known_last_says_so(pages):  # R51
    pages.write(a_board("mail", warning="The store cannot be reached."))

    for name in ("index.html", "mail_fresh.html"):
        assert "▲ The store cannot be reached." in Seen(pages.read(name)).text


def test_an_empty_board_says_why(pages):
    pages.write(a_board())

    assert "there is no schedule to show" in Seen(pages.read("index.html")).text


def test_pages_of_jobs_that_are_gone_go_and_nothing_else_does(pages):
    pages.write(a_board("mail", "old"))
    (pages.folder / "notes.html").write_text("somebody's own")
    pages.write(a_board("mail"))

    assert not [name for name in pages.names() if name.startswith("old")]
    assert pages.read("notes.html") == "somebody's own"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_job_or_tenant_becomes_markup(pages, text):  # T33, T31
    pages.write(a_board(text, state=Freshness.STALE, warning=text, tenant=text), public_tags=("customer",))

    for path in pages.folder.rglob("*.html"):
        seen = Seen(path.read_text(encoding="utf-8"))
        assert not seen.tags & {"script", "img", "iframe", "object", "link", "form"}
        assert not [name for name in seen.attributes if name.startswith("on")]
        assert all(link.endswith("_fresh.html") or link == "index.html" for link in seen.links)
        assert not any(char in seen.text for char in "\x1b\x07\u202e")
        assert "49" not in seen.text or "{{" not in text
    for path in pages.folder.rglob("*.svg"):
        drawn = minidom.parseString(path.read_bytes())
        assert {node.tagName for node in drawn.getElementsByTagName("*")} <= {"svg", "title", "rect", "g", "text"}


def test_a_page_loads_nothing_and_runs_nothing(pages):
    pages.write(a_board("mail"))
    text = pages.read("index.html")

    assert "default-src 'none'" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_the_public_sees_states_and_ages_and_nothing_more(pages):  # T49
    pages.write(
        a_board("mail", state=Freshness.STALE, warning="db1.internal refused", tenant="acme-secret-name"),
        public_tags=("customer",),
    )

    shown = {path.name: path.read_text(encoding="utf-8") for path in (pages.folder / "public").iterdir()}

    assert set(shown) == {
        "index.html", "index.json", "mail_fresh.html", "mail_fresh.json", "mail_fresh.svg", "status.svg",
    }  # fmt: skip
    for text in shown.values():
        assert "acme-secret-name" not in text
        assert "db1.internal" not in text
        assert "customer" not in text
    assert "Failures" not in shown["mail_fresh.html"]
    assert "■ stale" in Seen(shown["mail_fresh.html"]).text


def test_without_a_public_tag_nothing_is_public(pages):  # T49
    pages.write(a_board("mail"))

    assert not (pages.folder / "public").exists()


def test_a_page_names_so_many_tenants_and_counts_the_others(pages):
    proofs = [
        Proof(
            schedule="mail", tenant=f"t{number}", state=Freshness.FRESH, last_success=NOW, stale_at=None,
            flipped_at=None, failures=0,
        )
        for number in range(510)
    ]  # fmt: skip
    pages.write(board([Subject(name="mail", schedules={"mail": ""})], proofs, [], edges=EDGES, now=NOW, next_at=NOW))

    assert "And 10 more, none of them worse than these." in Seen(pages.read("mail_fresh.html")).text
    assert "510 fresh" in Seen(pages.read("index.html")).text
