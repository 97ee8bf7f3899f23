"""What can be asked of an application from outside: for the command, here or far away, and over HTTP."""
