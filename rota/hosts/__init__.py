"""Files for the hosts that Rota runs on: made of the application's own settings, and never with a secret in them."""

from rota.hosts.rendering import HOSTS, HostFile, files_for, remarks
from rota.hosts.site import Site, site_of

__all__ = ["HOSTS", "HostFile", "Site", "files_for", "remarks", "site_of"]
