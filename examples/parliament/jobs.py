"""All jobs: what runs when, where, and for how long at most."""

import os

from examples.parliament.cleanup import clean_up_embeddings
from examples.parliament.database import URL
from examples.parliament.newsletter import send_smart_alerts, send_weekly_newsletter
from examples.parliament.scraper import scrape_mep_meetings
from rota import Rota, every

BRUSSELS = "Europe/Brussels"

rota = Rota(URL)

rota.job(
    name="scrape_mep_meetings",
    schedule=every().day.at("02:30", tz=BRUSSELS),
    executor="process",
    timeout=os.environ.get("PARLIAMENT_SCRAPER_TIMEOUT", "30m"),
)(scrape_mep_meetings)

rota.job(
    name="send_smart_alerts",
    schedule=every().day.at("06:00", tz=BRUSSELS),
    # What was not scraped yet cannot be told: it waits until it was.
    depends_on=["scrape_mep_meetings"],
)(send_smart_alerts)

rota.job(
    name="send_weekly_newsletter",
    schedule=every().friday.at("09:00", tz=BRUSSELS),
)(send_weekly_newsletter)

rota.job(
    name="clean_up_embeddings",
    schedule=every().sunday.at("03:00", tz=BRUSSELS),
    timeout=os.environ.get("PARLIAMENT_CLEANUP_TIMEOUT", "15m"),
)(clean_up_embeddings)
