"""The application: the table of all runs, Rota's own addresses, and the scheduler, all in one process."""

import os
from html import escape
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from examples.parliament.jobs import rota
from rota.integrations.fastapi import lifespan
from rota.queries import RunQuery
from rota.settings import load
from rota.web import Capability, Principal, believed_by

rota.configure(load(env=os.environ))
door = rota.asgi_app()
app = FastAPI(title="Parliament", lifespan=lifespan(rota, works=True))

COLUMNS = ("job", "when", "success", "runtime", "result", "error")


@app.get("/scheduled_job_runs", response_class=HTMLResponse)
def scheduled_job_runs(reader: Annotated[Principal, Depends(believed_by(door, Capability.READ))]) -> str:
    """Show the last runs, as far as whoever asks may see them."""
    rows = []
    for run in rota.seen_by(reader).store.runs(RunQuery(limit=200)):
        took = f"{(run.ended_at - run.started_at).total_seconds():.1f} s" if run.started_at and run.ended_at else ""
        error = run.error.first_line if run.error else ""
        rows.append((run.job, f"{run.started_at or run.due_at:%Y-%m-%d %H:%M:%S}", run.state, took, run.result, error))
    return f"<title>Runs</title><table>{_row('th', COLUMNS)}{''.join(_row('td', row) for row in rows)}</table>"


def _row(tag: str, cells: tuple[object, ...]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(str(cell or ''))}</{tag}>" for cell in cells) + "</tr>\n"


# Last: what is not above is Rota's, `POST /scheduler/run/{job_name}` before all.
app.mount("/", door)
