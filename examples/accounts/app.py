"""The application: what visitors send, and Rota's own addresses beside it, `POST /api/cron/run` among them."""

import os

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from examples.accounts import accounts
from examples.accounts.jobs import rota
from rota.integrations.fastapi import lifespan
from rota.settings import load

rota.configure(load(env=os.environ))
app = FastAPI(title="Accounts", lifespan=lifespan(rota))


class Registration(BaseModel):
    """Somebody who wants an account."""

    email: str = Field(max_length=190)
    password: str = Field(min_length=8, max_length=200)


class Confirmation(BaseModel):
    """The code of a mail."""

    email: str
    code: str


class Forgotten(BaseModel):
    """Somebody who cannot sign in."""

    email: str


class NewPassword(Confirmation):
    """The code of a mail, and what it lets one choose."""

    password: str = Field(min_length=8, max_length=200)


@app.post("/registrations", status_code=202)
def register(asked: Registration) -> None:
    """Mail a code to whoever wants an account."""
    accounts.register(asked.email, asked.password)


@app.post("/registrations/confirm", status_code=204)
def confirm(asked: Confirmation) -> None:
    """Open the account."""
    accounts.confirm_registration(asked.email, asked.code)


@app.post("/password-resets", status_code=202)
def forgot(asked: Forgotten) -> None:
    """Mail a code to whoever has an account; the answer does not tell whether there is one."""
    accounts.forgot_password(asked.email)


@app.post("/password-resets/confirm", status_code=204)
def reset(asked: NewPassword) -> None:
    """Take the new password."""
    accounts.reset_password(asked.email, asked.code, asked.password)


@app.exception_handler(accounts.WrongCode)
def wrong_code(_request: Request, _error: accounts.WrongCode) -> JSONResponse:
    """Answer whoever sent a code that is none."""
    return JSONResponse({"detail": "this code is wrong, or no longer valid"}, status_code=400)


# Last: what is not above is Rota's.
app.mount("/", rota.asgi_app())
