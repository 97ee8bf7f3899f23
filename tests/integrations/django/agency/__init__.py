"""An app of a project, for tests."""
