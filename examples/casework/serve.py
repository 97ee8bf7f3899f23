"""The web and its workers in one process: for development, with a store in memory."""

from examples.casework.app import app, rota

if __name__ == "__main__":
    rota.start_background()
    try:
        app.run(port=5000)
    finally:
        rota.stop()
