"""Names of unique runs."""

from rota.core.unique import LONGEST_NAME, arguments_key, unique_name


def test_a_name_belongs_to_its_job_and_tenant():
    names = {
        unique_name(job, tenant, key)
        for job in ("a", 'a","b', "A")
        for tenant in (None, "", "b", "null")
        for key in ("k", "K", "k ")
    }

    assert len(names) == 3 * 4 * 3


def test_a_long_name_is_short_and_still_its_own():
    names = {unique_name("j" * 255, "t" * 255, "k" * 254 + last) for last in "ab"}

    assert len(names) == 2
    assert max(map(len, names)) <= LONGEST_NAME


def test_a_name_with_half_a_surrogate_pair_is_still_its_own():
    assert unique_name("\ud800", None, "k") != unique_name("\ud801", None, "k")


def test_the_key_of_arguments_does_not_depend_on_their_order():
    one, other = '{"args":[1],"kwargs":{"a":{"x":1,"y":2},"b":2}}', '{"args":[1],"kwargs":{"b":2,"a":{"y":2,"x":1}}}'

    assert arguments_key(one) == arguments_key(other)
    assert arguments_key(one) != arguments_key(one.replace("[1]", "[2]"))
