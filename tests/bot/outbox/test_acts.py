"""The line of small print with what an agent did between its words."""

from bot.outbox.acts import Act, small_print


def test_two_with_work_of_one_title_are_both_named() -> None:
    """What was given, accepted or changed of two agents is two acts; a file written twice is one."""
    given = small_print(
        [Act("gave", "count", "Ben"), Act("gave", "count", "Cem"), Act("gave", "draw", "Dora")]
    )
    assert "count to Ben, count to Cem, draw to Dora" in given
    accepted = small_print([Act("accepted", "count", "Ben"), Act("accepted", "count", "Cem")])
    assert "Ben" in accepted and "Cem" in accepted
    assert small_print([Act("wrote", "a.py"), Act("merged", "a.py", "Ben")]).count("a.py") == 1
