#!/bin/sh
# Do a pass over the list of commands every five minutes, for ever. It becomes the program, so that SIGTERM reaches it:
# what runs then has worker.drain to end, and is given back after that.
set -eu
cd "$(dirname "$0")/.."
exec python manage.py cronrun --forever --every "${CRON_EVERY:-5m}"
