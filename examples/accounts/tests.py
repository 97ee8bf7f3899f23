"""The tests of the application, which it runs itself each hour."""

import unittest

from examples.accounts.passwords import hashed, is_password


class Passwords(unittest.TestCase):
    """What is kept of them."""

    def test_a_password_is_known_again(self) -> None:
        assert is_password("a long one", hashed("a long one"))
        assert not is_password("another one", hashed("a long one"))

    def test_two_users_with_one_password_do_not_look_alike(self) -> None:
        assert hashed("a long one") != hashed("a long one")


if __name__ == "__main__":
    unittest.main()
