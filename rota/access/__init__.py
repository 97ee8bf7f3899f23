"""Who asks: tokens that are verified, and keys that they are signed with."""
