"""What people read of budgets: which limit, what is left, when it begins anew, who can change it."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots import money_words, replies
from bots.figure_words import budget_text, changed_text, usage_text
from bots.slack.budgets import SetLimit, ShowBudget, parse
from core.budgets.limits import BudgetLine, BudgetView, LimitChange
from core.messages import Notice, Tokens, WorkspaceKey
from core.reports.figures import UnclearReport, UsageView

PARIS = ZoneInfo("Europe/Paris")
DAY, MONTH = datetime(2026, 11, 24, tzinfo=PARIS), datetime(2026, 12, 1, tzinfo=PARIS)
SLACK = WorkspaceKey("slack", "T1")
RESETS = {"resets": MONTH.isoformat(), "zone": "Europe/Paris"}


def refused(platform: str = "slack", **values: str | int) -> str:
    told = {"scope": "workspace", "period": "month", "left": 30_000, "limit": 20_000_000, **RESETS, **values}
    return replies.sentence(Notice("budget_refused", told), platform=platform)


def test_a_refusal_names_the_limit_what_is_left_the_moment_and_who_can_raise_it() -> None:
    assert refused() == (
        "I cannot answer this now: $0.03 is left of the $20.00 that this workspace may spend this month, and my answer "
        "could cost more. The budget begins anew on Tuesday 1 December, 00:00 (Europe/Paris time). An admin can raise "
        "the limit (`/bise budget set`)."
    )


@pytest.mark.parametrize(
    ("scope", "platform", "whose"),
    [
        ("person", "slack", "that you may spend"),
        ("channel", "slack", "that this channel may spend"),
        ("workspace", "discord", "that this server may spend"),
        ("installation", "discord", "that everybody on this installation of Bise together may spend"),
    ],
)
def test_a_refusal_says_whose_limit_it_is(scope: str, platform: str, whose: str) -> None:
    assert whose in refused(platform, scope=scope)


def test_who_is_refused_for_others_answers_is_not_told_to_wait_for_the_next_period() -> None:
    assert refused(left=0, busy=1) == (
        "I cannot answer this right now: the rest of the $20.00 that this workspace may spend this month is set aside "
        "for answers that are being written. Ask me again in a minute."
    )


def test_only_those_who_run_bise_are_named_for_what_no_admin_can_raise() -> None:
    for scope in ("installation", "turn"):
        told = refused(scope=scope)
        assert "hose who run Bise" in told or "Whoever runs Bise" in told
        assert "An admin" not in told


def test_on_discord_the_command_that_raises_a_limit_is_discords() -> None:
    assert "`/bise-admin budget set`" in refused("discord")
    assert "`bise budget set` raises it" in refused("local")


def test_in_direct_messages_no_server_and_no_admin_of_one_is_named() -> None:
    told = refused("discord", workspace="discord:dm")
    assert "that everybody in direct messages together may spend this month" in told
    assert told.endswith("Only those who run Bise can raise this limit.")
    mine = refused("discord", scope="person", workspace="discord:dm")
    assert "that you may spend" in mine
    assert mine.endswith("Only those who run Bise can raise this limit.")
    many = Notice("too_fast", {"who": "workspace", "limit": 60, "seconds": 60, "workspace": "discord:dm"})
    assert "server" not in replies.sentence(many, platform="discord")


@pytest.mark.parametrize(
    ("scope", "workspace", "command"),
    [
        ("workspace", "discord:dm", "`bise budget set --workspace discord:dm` changes the limit."),
        ("person", "local:cli", "`bise budget set --workspace local:cli` changes the limit."),
        ("installation", "", "`bise budget set --installation` changes the limit."),
        ("workspace", "slack:T1", "`/bise budget set` changes the limit."),
    ],
)
def test_an_alert_names_the_command_that_reaches_its_limit(scope: str, workspace: str, command: str) -> None:
    values = {"scope": scope, "period": "day", "percent": 50, "workspace": workspace, **RESETS}
    assert replies.sentence(Notice("budget_alert", values), platform="slack").endswith(command)


@given(st.sampled_from(sorted(money_words.NAMES)), st.text(max_size=120))
def test_names_and_moments_from_outside_write_no_markup_and_call_nobody(name: str, text: str) -> None:
    outside = dict.fromkeys(("who", "by", "home", "place", "model", "models", "resets", "zone", "workspace"), text)
    told = replies.sentence(Notice(name, outside), platform="slack")
    assert not set("<>\r") & set(told)
    assert told.count("`") % 2 == 0


def test_one_line_tells_all_that_was_saved() -> None:
    told = replies.sentence(Notice("saved_money", {"history": 1, "length": 1, "economy": 1, "model": "small"}))
    assert told == (
        "The budget is running low, so I looked at less of our conversation, kept my answer short and used the cheaper "
        "model `small`."
    )
    assert replies.sentence(Notice("saved_money", {"length": 1})) == (
        "The budget is running low, so I kept my answer short."
    )


def test_the_last_alert_says_that_questions_are_refused_and_the_others_do_not() -> None:
    def alert(percent: int) -> str:
        values = {"scope": "workspace", "period": "day", "percent": percent, "spent": 1, "limit": 2, **RESETS}
        return replies.sentence(Notice("budget_alert", values), platform="slack")

    assert alert(80).startswith("80 % of a budget is used: this workspace may spend $0.000002 today")
    assert "I refuse questions" in alert(100)
    assert "I refuse questions" not in alert(80)


def test_a_channel_in_an_alert_is_shown_by_its_name_where_the_platform_does_that() -> None:
    values = {"scope": "channel", "period": "day", "percent": 50, "who": "123", "workspace": "discord:9", **RESETS}
    assert "<#123>" in replies.sentence(Notice("budget_alert", values), platform="discord")
    assert "`C1`" in replies.sentence(Notice("budget_alert", {**values, "who": "C1"}), platform="slack")


def lines() -> tuple[BudgetLine, ...]:
    return (
        BudgetLine(SLACK, "workspace", "day", 2_000_000, 120_000, 0, DAY),
        BudgetLine(SLACK, "workspace", "month", 20_000_000, 1_120_000, 4_000, MONTH),
        BudgetLine(SLACK, "user:U1", "day", 1_000_000, 12_000, 0, DAY, private=True),
        BudgetLine(SLACK, "user:U2", "day", 1_000_000, 345_000, 0, DAY, private=True),
        BudgetLine(SLACK, "user:U3", "day", None, 345_000, 0, DAY, private=True),
    )


def test_limits_stand_together_under_the_moment_at_which_they_begin_anew() -> None:
    assert budget_text(BudgetView(lines()[:3]), platform="slack", person="U1").splitlines() == [
        "Today, until Tuesday 24 November, 00:00 (Europe/Paris time)",
        "• This workspace: $0.12 spent, $1.88 left of $2.00",
        "• You: $0.01 spent, $0.99 left of $1.00",
        "This month, until Tuesday 1 December, 00:00 (Europe/Paris time)",
        "• This workspace: $1.12 spent, $0.004 held, $18.88 left of $20.00",
    ]


def test_what_somebody_else_spends_is_not_shown() -> None:
    text = budget_text(BudgetView(lines()), platform="slack", person="U1", admin=True)
    assert "• <@U2>: a limit of $1.00" in text
    assert "• <@U3>: no limit" in text
    assert "0.35" not in text


def test_a_change_below_what_is_spent_says_that_it_blocks_and_hides_what_is_private() -> None:
    change = LimitChange("workspace", "month", 20_000_000, 1_000_000, 1_120_000, 0, 0, MONTH)
    told = changed_text(change, platform="slack")
    assert told.startswith(
        "Done: this workspace may spend $1.00 a month (it was $20.00). That is no more than the $1.12"
    )
    assert "until Tuesday 1 December, 00:00 (Europe/Paris time)" in told
    private = LimitChange("user:U2", "month", 20_000_000, 1_000_000, 1_120_000, 0, 0, MONTH, private=True)
    assert "1.12" not in changed_text(private, platform="slack")
    assert "no more than what is already spent" in changed_text(private, platform="slack")


def test_a_limit_that_is_taken_away_blocks_nothing() -> None:
    told = changed_text(LimitChange("channel:C1", "day", 5, None, 9, 0, None, DAY), platform="slack")
    assert told == "Done: <#C1> may spend as much a day as the other limits leave (it was $0.000005)."


def test_usage_is_short_where_there_is_nothing_to_rank() -> None:
    assert len(usage_text(UsageView(Tokens(), Tokens(), Tokens())).splitlines()) == 3


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("", ShowBudget()),
        ("show", ShowBudget()),
        ("set month 25", SetLimit("month", "25")),
        ("set DAY none", SetLimit("day", "none")),
        ("set month default", SetLimit("month", "default")),
        ("set day 2 channel", SetLimit("day", "2", here=True)),
        ("set channel day 2", SetLimit("day", "2", here=True)),
        ("set day 2 channel <#C9|general>", SetLimit("day", "2", channel="C9")),
        ("set day 0.50 user <@U9|ada>", SetLimit("day", "0.50", person="U9")),
        ("set day 0.50 <@U9>", SetLimit("day", "0.50", person="U9")),
        ("set day 0.50 user U0123456", SetLimit("day", "0.50", person="U0123456")),
        ("set", Notice("budget_set_how")),
        ("set 25", Notice("budget_set_how")),
        ("set day", Notice("budget_set_how")),
        ("set day 1 2", Notice("budget_set_how")),
        ("raise", Notice("budget_set_how")),
        ("set day 1 user @ada", Notice("budget_who")),
        ("set day 1 user", Notice("budget_who")),
        ("set day 1 @ada", Notice("budget_who")),
    ],
)
def test_what_is_typed_behind_budget_is_understood_in_any_order(typed: str, wanted: object) -> None:
    assert parse(typed) == wanted


@given(st.text(max_size=60))
def test_whatever_is_typed_is_understood_or_told(typed: str) -> None:
    assert isinstance(parse(typed), ShowBudget | SetLimit | Notice)


def test_a_report_that_may_be_missing_is_told_in_one_line_with_the_way_to_its_figures() -> None:
    unclear = UnclearReport(WorkspaceKey("slack", "T0123"), "weekly", date(2026, 11, 22))
    told = usage_text(UsageView(Tokens(), Tokens(), Tokens(), unclear=unclear)).splitlines()[-1]
    assert told.startswith("The weekly report of 22 November 2026 may not have arrived: ")
    assert "`bise report --workspace slack:T0123 --date 2026-11-22 --kind weekly`" in told
