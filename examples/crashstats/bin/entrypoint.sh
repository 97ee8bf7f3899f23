#!/bin/sh
# What the container does: `crontabber`, or any other command, such as `python manage.py cronlist`.
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in
    crontabber) exec bin/run_crontabber.sh ;;
    *) exec "$@" ;;
esac
