"""`rota limits`, and what `rota explain` says of a run that a limit holds back."""

from tests.surfaces.conftest import data, error
from tests.values import a_request, a_worker, found


def filled(app):
    """Have one report run, and one stand aside for its tenant's limit; return that one."""
    app.limit(tenant="*", running=1)
    _, second = (app.jobs["report"].using(tenant="acme").enqueue() for _ in range(2))
    app.store.register(a_worker(last_seen=app.clock.now()))
    for worker in ("w1", "w2"):
        app.store.claim(a_request(worker, limits=app.limits.holding()), now=app.clock.now())
    assert found(app.store, second.id).limited_by == "tenant:acme"
    return second


def test_limits_are_listed_with_their_use(noon_app, noon_rota):  # R35
    filled(noon_app)
    noon_app.limit(job="sync", rate="9/1m")

    listed = noon_rota("limits", "--json")

    rows = {(row["scope"], row["name"]): row for row in data(listed)}
    assert rows["tenant", "acme"]["used"] == "1 of 1 running"
    assert (rows["tenant", "acme"]["running"], rows["tenant", "acme"]["waiting"]) == (1, 1)
    assert rows["tenant", "*"]["limit"] == "1 running"
    assert (rows["job", "sync"]["limit"], rows["job", "sync"]["used"]) == ("9/1m", "0 of 9 starts in 1m")
    assert "held back: 1 run\n" in noon_rota("limits").stderr


def test_explain_names_the_limit_that_holds_a_run_back(noon_app, noon_rota):  # R35
    aside = filled(noon_app)

    explained = noon_rota("explain", aside.id)

    assert "limit tenant acme: 1 of 1 running" in explained.stdout
    assert "rota limits set tenant acme" in explained.stdout


def test_explain_says_that_a_limit_was_lifted(noon_app, noon_rota):  # R35
    aside = filled(noon_app)
    noon_rota("limits", "set", "tenant", "*", "--lift", "--reason", "no need")

    assert "the limit that it waited for has a place now" in noon_rota("explain", aside.id).stdout


def test_a_limit_is_set_and_dropped_by_an_operator(noon_app, noon_rota):  # R35
    noon_app.limit(job="sync", running=1)

    made = noon_rota("limits", "set", "job", "sync", "--running", "5", "--rate", "100/1m", "--reason", "more servers")
    [row] = data(noon_rota("limits", "--json"))
    dropped = noon_rota("limits", "drop", "job", "sync")

    assert made.stdout == "limit job sync: 5 running, 100/1m; to take that back: rota limits drop job sync\n"
    assert (row["limit"], row["reason"]) == ("5 running, 100/1m", "more servers")
    assert row["author"]
    assert dropped.stdout == "limit job sync: 1 running\n"
    assert data(noon_rota("limits", "--json"))[0]["author"] is None


def test_what_cannot_be_limited_is_refused_with_the_reason(noon_rota):  # R63
    def ends(*args):
        return noon_rota("limits", *args, "--json")

    why = ("--reason", "r")
    assert ends("set", "job", "sycn", "--running", "1", *why).exit_code == 3
    assert ends("set", "job", "sync", "--running", "0", *why).exit_code == 2
    assert "at least 1" in error(ends("set", "job", "sync", "--running", "0", *why))["message"]
    assert ends("set", "job", "sync", *why).exit_code == 2
    assert ends("set", "job", "sync", "--lift", "--running", "1", *why).exit_code == 2
    assert ends("set", "job", "sync", "--rate", "often", *why).exit_code == 2
    assert ends("set", "planet", "mars", "--running", "1", *why).exit_code == 2
    assert ends("drop", "job", "sync").exit_code == 5
