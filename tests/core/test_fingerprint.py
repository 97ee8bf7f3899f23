"""Two failures by one cause have one fingerprint, and two causes have two (R38)."""

from time import thread_time

import pytest

from rota.core.fingerprint import fingerprint, normalised


@pytest.mark.parametrize(
    ("message", "without_values"),
    [
        ("no order 4711", "no order #"),
        ("no order 0x7f3a, at 0X10", "no order #, at #"),
        ("moved to 3.14, -7 and 1e-9", "moved to #, -# and #"),
        ("run 0197f3e2c0de7abc8d9e0f1a2b3c4d5e is lost", "run # is lost"),
        ("user 1b4e28ba-2fa1-11d2-883f-0016d3cca427", "user #"),
        ("user abcdabcd-abcd-abcd-abcd-abcdabcdabcd", "user #"),
        ("no column 'amount' in \"orders\"", "no column <text> in <text>"),
        ("it doesn't work and won't", "it doesn't work and won't"),
        ("cannot open /srv/acme/in.csv: gone", "cannot open <path>: gone"),
        (r"cannot open C:\data\acme.csv now", "cannot open <path> now"),
        ("GET https://api.example.org/v1/7?key=9 failed", "GET <url> failed"),
        ("bounced: ana.b@example.org", "bounced: <address>"),
        ("since 2026-11-20T02:00:00+01:00 nothing", "since # nothing"),
        ("since 2026-11-20 02:00 nothing", "since # # nothing"),
        ("no route to 10.0.0.17:5432", "no route to #"),
        ("  first line\nDETAIL: Key (id)=(5)", "first line"),
        ("", ""),
    ],
)
def test_a_message_is_compared_without_its_values(message, without_values):  # R38
    assert normalised(message) == without_values


def test_the_name_of_the_tenant_makes_no_other_error():  # R38, R50
    acme = fingerprint("LookupError", "no schema acme in acmedb", "", tenant="acme")

    assert fingerprint("LookupError", "no schema Globex & Co. in acmedb", "", tenant="Globex & Co.") == acme
    assert fingerprint("LookupError", "no schema acme in acmedb", "", tenant="hooli") != acme


def test_the_same_failure_of_another_tenant_after_another_edit_is_the_same_error():  # R38
    first = fingerprint("LookupError", "no order 7 for 'acme'", "app.orders.bill, line 12")

    assert fingerprint("LookupError", "no order 12 for 'globex'", "app.orders.bill, line 340") == first
    assert len(first) == 16


@pytest.mark.parametrize(
    "other",
    [
        ("KeyError", "no order 7", "app.orders.bill, line 12"),
        ("LookupError", "no invoice 7", "app.orders.bill, line 12"),
        ("LookupError", "no order 7", "app.orders.ship, line 12"),
        ("LookupError", "no order 7", ""),
    ],
)
def test_another_class_message_or_function_is_another_error(other):  # R38
    assert fingerprint(*other) != fingerprint("LookupError", "no order 7", "app.orders.bill, line 12")


@pytest.mark.parametrize(
    "piece", ["a", "'", '"', "/", "/a", "1", "#-", "a@", "a:", "a://", "-", ".", "f", "ab-", " ", "\udcff", "„", "C:\\"]
)
def test_no_message_takes_long(piece):  # R65
    # Of the processor: others may have it meanwhile.
    began = thread_time()

    fingerprint("ValueError", piece * 1_000_000, "")

    assert thread_time() - began < 0.5
