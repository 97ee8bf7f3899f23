"""Goes through a week of examples/crashstats on a clock of its own, and prints as JSON what came of it.

A process of its own, since a Django project is set up once in each. CRASHSTATS_DIR is an empty folder, SENTRY_DSN where
failures are told.
"""

import contextlib
import io
import json
import logging
import os
import re
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import django

PROJECT = Path(__file__).parents[2] / "examples" / "crashstats"
MONDAY = datetime(2026, 3, 23, tzinfo=UTC)
"""Of the week at whose end the clocks of Paris go forward."""
HOUR = timedelta(hours=1)
OUTAGE = range(36, 108)
"""The hours, from Tuesday noon to Friday noon, in which no crontabber runs. People go on sending crashes."""


def cron(*words: str) -> str:
    """Return what a command of the project says, whether it succeeds or not."""
    from django.core.management import CommandError, call_command

    out = io.StringIO()
    with contextlib.suppress(CommandError):
        call_command(*words, stdout=out)
    return out.getvalue()


def slots(name: str) -> dict[str, str]:
    """Return the state of each slot of the week, by its time."""
    from rota.cli.root import root

    out = io.StringIO()
    # The first slot after the schedules were known.
    words = [
        "slots",
        name,
        "--since",
        (MONDAY + HOUR / 60).isoformat(),
        "--until",
        (MONDAY + timedelta(days=7)).isoformat(),
    ]
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        root.main(args=["--app", "rota.integrations.django.project:rota", *words, "--json"], prog_name="rota")
    return {row["slot"]: row["state"] for row in json.loads(out.getvalue())["data"]}


def week(clock: Any) -> dict[str, Any]:
    """Let it pass, with what people do in it, and return what is there at its end."""
    from crashes.models import Crash, DailyReport, Signature
    from django.core.management import get_commands

    passes, said = [], {}
    for hour in range(1, 7 * 24 + 1):
        clock.advance(HOUR / 2)
        cron("submitcrash", signature(hour))
        clock.advance(HOUR / 2)
        if hour % 3:
            continue
        match hour:
            case 114:
                # On Friday evening somebody gives the crash of Wednesday a name.
                said["friday"] = cron("cronlist")
                Crash.objects.filter(signature="").update(signature="unreadable")
            case 132:
                # On Saturday that of the day before cannot be mended: the day is taken as done.
                said["marked"] = cron("cronmarksuccess", "dailyreport")
            case 150:
                # The list of signatures is lost, and made anew from all crashes.
                Signature.objects.all().delete()
                cron("cronreset", "newsignatures")
        if hour not in OUTAGE:
            passes.append(cron("cronrun"))
        if hour == 141:
            # The clock is set back an hour, as an administrator would.
            clock.step(-HOUR)
            said["set back"] = cron("cronrun")
            clock.step(HOUR)
    crashes = Crash.objects.values_list("crashed_at", flat=True)
    return {
        "reports": {str(report.day): report.crashes for report in DailyReport.objects.order_by("day")},
        "signatures": Signature.objects.count(),
        "crashes": len(crashes),
        "failed passes": sum("1 failed" in text for text in passes),
        "slots": {name: slots(name) for name in ("dailyreport", "purgecrashes")},
        "hours": Counter(slots("newsignatures").values()),
        "said": said,
        "unknown": sorted(
            set(re.findall(r"manage\.py (\w+)", (PROJECT / "README.md").read_text())) - set(get_commands())
        ),
    }


def signature(hour: int) -> str:
    """Return what crashed: nobody can tell on Wednesday at noon, and on Friday at 20:00."""
    return "" if hour in (61, 117) else f"crash {hour}"


def main() -> None:
    """Set the project up, go through the week and print what came of it."""
    sys.path.insert(0, str(PROJECT))
    os.environ["DJANGO_SETTINGS_MODULE"] = "crashstats.settings"
    django.setup()
    from django.core.management import call_command

    from rota import testing
    from rota.integrations.django import rota

    call_command("migrate", verbosity=0)
    with testing.capture(rota, now=MONDAY) as jobs, patch("django.utils.timezone.now", jobs.clock.now):
        rota.schedules.sync()
        # What cronrun logs is not asked for here.
        with patch("rota.integrations.django.management.commands.cronrun.start_logging"):
            logging.disable(logging.CRITICAL)
            found = week(jobs.clock)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
