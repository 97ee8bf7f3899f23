"""From a run that fails to a mail in somebody's box, and back: the real channel, a real server (R50, H1, H2)."""

from rota.engine.alerts.deliverer import Deliverer
from rota.notifiers import make
from tests.engine.alerting import Watch
from tests.mail_server import mail_server
from tests.notifiers.conftest import KEY
from tests.receiver import answered, receiving
from tests.values import HOUR, MINUTE


def watch_with(kind, **options):
    """Return a process that watches, and tells a channel of this kind."""
    watch = Watch()
    channel = make(kind, options, clock=watch.clock)
    watch.deliverers = {"ops": Deliverer("ops", channel, watch.store, clock=watch.clock)}
    return watch


def watch_by_mail(server):
    return watch_with("email", to=["ops@example.org"], smtp=f"smtp://127.0.0.1:{server.port}", sender="r@example.org")


def test_a_server_that_puts_off_for_an_hour_delays_no_job_and_loses_no_alert():  # R50, H1
    with mail_server(data="451 try later") as server:
        watch = watch_by_mail(server)
        watch.fail("mail")
        watch.advance(30 * MINUTE)
        other = watch.succeed("other")
        watch.fail("report")
        watch.advance(30 * MINUTE)
        taken_meanwhile = len(server.mails)
        server.let(data="")
        watch.advance(15 * MINUTE)

    assert taken_meanwhile == 0
    assert watch.state(other).is_final
    opened = {mail.message["Message-ID"]: mail for mail in server.mails if mail.message["References"] is None}
    assert len(opened) == 2


def test_five_hundred_tenants_are_one_mail():  # R50, H3
    with mail_server() as server:
        watch = watch_by_mail(server)
        for number in range(500):
            watch.fail("email_sync", f"tenant{number}")
        watch.advance(5 * MINUTE)

    [mail] = server.mails
    assert "500 tenants" in mail.message["Subject"]


def test_the_end_is_told_in_the_thread_of_the_beginning():  # R50
    with mail_server() as server:
        watch = watch_by_mail(server)
        watch.fail("email_sync")
        watch.advance(MINUTE)
        watch.succeed("email_sync")
        watch.advance(2 * MINUTE)

    opened, recovered = (mail.message for mail in server.mails)
    assert recovered["References"] == recovered["In-Reply-To"] == opened["Message-ID"]
    assert "Recovered" in recovered["Subject"]


def test_a_receiver_that_asks_for_a_pause_gets_it():  # R50, H2
    with receiving(answered(429, retry_after=300), answered(200)) as receiver:
        watch = watch_with(
            "webhook", url=receiver.url, key=KEY, networks=["127.0.0.1"], ports=[receiver.port], insecure_http=True
        )
        watch.fail()
        watch.advance(4 * MINUTE)
        asked_meanwhile = receiver.connections
        watch.advance(10 * MINUTE)

    assert asked_meanwhile == 1
    first, again = receiver.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"]


def test_what_is_refused_for_good_is_tried_rarely_and_says_why():  # R50, H1
    with mail_server(rcpt="550 no such user") as server:
        watch = watch_by_mail(server)
        watch.fail()
        watch.advance(HOUR / 2)

    [delivery] = watch.deliveries()
    assert delivery.attempt <= 4
    assert "550 no such user" in delivery.error
