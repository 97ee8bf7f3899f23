"""What may be asked of the web, by the form of its URL and by where its name leads (T45)."""

import pytest

from rota.clock import SystemClock
from rota.errors import AddressRefused, NotReached
from rota.reach import Terms, ask, parsed

BY_FORM = [
    # No https, or nothing that is one URL to all readers.
    ("http://example.com/", "https://"),
    ("ftp://example.com/", "https://"),
    ("file:/etc/passwd", "https://"),
    ("gopher://example.com/", "https://"),
    ("javascript:alert(1)", "https://"),
    ("//example.com/", "https://"),
    ("example.com/hook", "https://"),
    ("", "https://"),
    ("https:///hook", "https://"),
    ("https://user@example.com/", "no user"),
    ("https://user:secret@example.com/", "no user"),
    ("https://example.com@127.0.0.1/", "no user"),
    ("https://example.com#@127.0.0.1/", "fragment"),
    ("https://example.com/#part", "fragment"),
    ("https://example.com\\@127.0.0.1/", "ASCII"),
    ("https://exam ple.com/", "ASCII"),
    ("https://example.com/a\r\nX-Header: 1", "ASCII"),
    ("https://example.com/\t", "ASCII"),
    ("https://example.com/\x00", "ASCII"),
    ("https://exämple.com/", "ASCII"),
    ("https://①②⑦.⓪.⓪.①/", "ASCII"),
    ("https://127。0。0。1/", "ASCII"),
    ("https://example.com/" + "a" * 2048, "ASCII"),
    ("https://%31%32%37.0.0.1/", "no name"),
    ("https://example..com/", "no name"),
    ("https://example.com./", "no name"),
    ("https://-example.com/", "no name"),
    ("https://" + "a" * 64 + ".com/", "no name"),
    ("https://[::1/", "no URL"),
    ("https://[fe80::1%25eth0]/", "no name"),
    ("https://example.com:99999/", "no URL"),
    # Ports beside those that are allowed.
    ("https://example.com:22/", "port 22"),
    ("https://example.com:6379/", "port 6379"),
    ("https://example.com:80/", "port 80"),
    ("https://example.com:0/", "port 0"),
    # Addresses that are written so that a filter and a resolver read them differently.
    ("https://2130706433/", "read in two ways"),
    ("https://0x7f000001/", "read in two ways"),
    ("https://0x7f.0.0.1/", "read in two ways"),
    ("https://0177.0.0.1/", "read in two ways"),
    ("https://017700000001/", "read in two ways"),
    ("https://127.1/", "read in two ways"),
    ("https://127.0.1/", "read in two ways"),
    ("https://127.0.0.1.1/", "read in two ways"),
    ("https://example.0x1/", "read in two ways"),
    ("https://8.8.8.08/", "read in two ways"),
    # Inside.
    ("https://127.0.0.1/", "loopback"),
    ("https://127.255.255.254/", "loopback"),
    ("https://0.0.0.0/", "this host"),
    ("https://10.0.0.1/", "private"),
    ("https://172.31.255.255/", "private"),
    ("https://192.168.1.1/", "private"),
    ("https://100.64.0.1/", "shared"),
    ("https://169.254.169.254/latest/meta-data/", "link-local"),
    ("https://192.0.0.192/", "reserved"),
    ("https://198.18.0.1/", "benchmarks"),
    ("https://224.0.0.1/", "multicast"),
    ("https://255.255.255.255/", "reserved"),
    ("https://[::]/", "this host"),
    ("https://[::1]/", "loopback"),
    ("https://[::ffff:127.0.0.1]/", "IPv4 address in the form of IPv6"),
    ("https://[::ffff:8.8.8.8]/", "IPv4 address in the form of IPv6"),
    ("https://[::127.0.0.1]/", "reserved"),
    ("https://[64:ff9b::7f00:1]/", "NAT64"),
    ("https://[2002:7f00:1::]/", "6to4"),
    ("https://[2001:0:7f00:1::]/", "Teredo"),
    ("https://[fc00::1]/", "private"),
    ("https://[fd00:ec2::254]/", "private"),
    ("https://[fe80::1]/", "link-local"),
    ("https://[fec0::1]/", "site-local"),
    ("https://[ff02::1]/", "multicast"),
    ("https://[2001:db8::1]/", "documentation"),
]

MAY_BE_ASKED = [
    "https://example.com/",
    "https://example.com",
    "https://EXAMPLE.com:443/hook?token=x",
    "https://hooks.example-1.co.uk/services/T0/B0/x",
    "https://xn--exmple-cua.com/",
    "https://1.example.com/",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
]

NAMES = [
    ["127.0.0.1"],
    ["10.1.2.3"],
    ["169.254.169.254"],
    ["::1"],
    ["::ffff:10.0.0.1"],
    ["fe80::1%eth0"],
    # All are judged: one that is inside spoils the others.
    ["8.8.8.8", "127.0.0.1"],
    ["2606:4700::1111", "192.168.0.1", "8.8.8.8"],
]


def test_the_list_is_as_long_as_it_has_to_be():  # T45
    assert len(BY_FORM) >= 60


@pytest.mark.parametrize(("url", "why"), BY_FORM, ids=[ascii(url)[:40] for url, _ in BY_FORM])
def test_what_may_lead_inside_is_refused_by_its_form(url, why):  # T45
    with pytest.raises(AddressRefused, match=why):
        parsed(url, Terms())


@pytest.mark.parametrize("url", MAY_BE_ASKED)
def test_what_is_public_may_be_asked(url):  # T45
    parsed(url, Terms())


@pytest.mark.parametrize("addresses", NAMES, ids=" ".join)
def test_a_name_that_leads_inside_is_refused_when_it_is_asked(addresses):  # T45
    with pytest.raises(AddressRefused, match=r"example\.com leads to"):
        ask("GET", "https://example.com/", terms=Terms(), clock=SystemClock(), resolve=lambda host, port: addresses)


@pytest.mark.parametrize("failure", [OSError("no such name"), UnicodeError("too long")])
def test_a_name_that_leads_nowhere_is_no_refusal(failure):
    def resolve(host, port):
        raise failure

    with pytest.raises(NotReached, match=r"example\.com cannot be resolved") as caught:
        ask("GET", "https://example.com/", terms=Terms(), clock=SystemClock(), resolve=resolve)

    assert not isinstance(caught.value, AddressRefused)


@pytest.mark.parametrize(
    ("url", "terms"),
    [
        ("http://example.com/", Terms(insecure_http=True)),
        ("https://example.com:8443/", Terms(ports=(8443,))),
        ("https://10.1.2.3/", Terms(networks=("10.1.0.0/16",))),
        ("https://[::ffff:10.1.2.3]/", Terms(networks=("::ffff:0:0/96",))),
        ("https://[fd00::7]/", Terms(networks=("fd00::7",))),
    ],
)
def test_what_the_configuration_allows_may_be_asked(url, terms):  # T45
    parsed(url, terms)


def test_a_network_that_is_allowed_opens_no_other_form_of_itself():  # T45
    with pytest.raises(AddressRefused, match="in the form of IPv6"):
        parsed("https://[::ffff:10.1.2.3]/", Terms(networks=("10.0.0.0/8",)))


def test_the_refusal_says_how_it_is_allowed_and_shows_no_secret():  # R64, R65
    with pytest.raises(AddressRefused) as caught:
        parsed("https://10.1.2.3/services/hush?token=hush", Terms())

    assert str(caught.value) == '10.1.2.3 is private; networks = ["10.1.2.3"] allows it'


@pytest.mark.parametrize(
    "terms", [{"networks": ("10.0.0.1/8",)}, {"networks": ("inside",)}, {"ports": (70000,)}, {"redirects": -1}]
)
def test_terms_that_are_none_are_refused(terms):  # R64
    with pytest.raises(ValueError, match=r"host bits|does not appear|ports|redirects"):
        Terms(**terms)
