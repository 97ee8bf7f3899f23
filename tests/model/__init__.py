"""The protocol in small: every order of its steps, and what would go wrong without each of its guards."""
