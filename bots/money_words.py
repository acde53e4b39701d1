"""What people read of budgets in a conversation, and what admins are told of them: by name, as in `bots.replies`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bots.wording import Values, coded, day_and_time, dollars, joined, plain

ASK_ADMIN = "Ask an admin"

# Sentences without amounts; `bots.replies` fills and says them.
SENTENCES: dict[str, str] = {
    "asked_admin": "I have passed your request on to the admins. Ask me again when they have added something.",
    "asked_admin_before": "The admins have your request already: there is no need to send it twice.",
    "ask_admin_not_yours": "Only the person who asked can send this to an admin. Mention me with your own question.",
    "no_admin_to_ask": (
        "Only those who run Bise can raise this limit, and they have not told me whom to ask. Please write to them."
    ),
    "top_up_before": "Somebody has pressed this before, and once is enough. `/bise budget` shows what is left.",
    "budget_not_admin": "Only an admin can change budgets here. `/bise budget` shows how yours stands.",
    "budget_who": "I cannot tell who that is. Type the name with @ and choose it from the list, so that I know.",
    "no_answer_of_mine": "That is no answer of mine, so I know of no cost. Choose one of my own messages for this.",
    "refused_in_place": (
        "There is no room in the budget for this question right now. I could not send you the details: allow direct "
        "messages from this server, or see `/bise budget`."
    ),
}


def budget_refused(values: Values, platform: str) -> str:
    """Which limit is in the way, what is left of it, when it begins anew, who can raise it."""
    scope, period = str(values["scope"]), str(values["period"])
    if scope == "turn":
        most = f" ({dollars(int(values['limit']))})" if int(values["limit"]) else ""
        return (
            f"This answer has cost as much as a single one may{most}, so I stopped here. "
            "Ask me to go on, or ask for less at once. Whoever runs Bise can raise this limit."
        )
    left, limit = int(values["left"]), int(values["limit"])
    if values["busy"]:
        most = f"the {dollars(limit)} that" if limit else "what"
        return (
            f"I cannot answer this right now: the rest of {most} {_who(scope, values, platform)} may spend "
            f"{_per(period)} is set aside for answers that are being written. Ask me again in a minute."
        )
    rest = f"{dollars(left)} is left" if left else "nothing is left"
    of = f" of the {dollars(limit)} that" if limit else " of what"
    why = ", and my answer could cost more" if left else ""
    return (
        f"I cannot answer this now: {rest}{of} {_who(scope, values, platform)} may spend {_per(period)}{why}. "
        f"{_anew(values)} {_raised_by(scope, values, platform)}"
    )


def saved_money(values: Values, platform: str) -> str:  # noqa: ARG001 - as all of these
    """One quiet line: what was saved, so that nobody wonders why an answer is other than usual."""
    done = {
        "history": "looked at less of our conversation",
        "length": "kept my answer short",
        "economy": f"used the cheaper model {coded(values['model'])}",
    }
    what = [words for name, words in done.items() if values.get(name)] or ["was brief"]
    return f"The budget is running low, so I {joined(what)}."


def too_fast(values: Values, platform: str) -> str:
    """Whose questions were too many, and how long to wait."""
    seconds, limit = max(int(values["seconds"]), 1), int(values["limit"])
    when = f"in {seconds} seconds" if seconds > 1 else "in a second"
    many = "one question" if limit == 1 else f"{limit:,} questions"
    if values["who"] == "workspace":
        if values["workspace"] == _DIRECT:  # of people who know nothing of each other
            return f"I have been asked {many} in direct messages in a minute, and I take no more. Ask again {when}."
        return f"{_here(platform).capitalize()} has asked {many} in a minute, and I take no more. Ask again {when}."
    return f"You have asked {many} in a minute, and I take no more from one person. Ask again {when}."


def budget_alert(values: Values, platform: str) -> str:
    """For admins: how much of which limit is spent."""
    percent = int(values["percent"])
    who, per = _whose(values, platform), _per(str(values["period"]))
    spent, limit = dollars(int(values["spent"])), dollars(int(values["limit"]))
    if percent >= 100:
        return (
            f"The budget is used up: {who} may spend {limit} {per}, and {spent} is spent. I refuse questions that "
            f"would cost more. {_anew(values)} {_changed_by(values, platform)}"
        )
    return (
        f"{percent} % of a budget is used: {who} may spend {limit} {per}, and {spent} is spent. "
        f"{_anew(values)} {_changed_by(values, platform)}"
    )


def above_bound(values: Values, platform: str) -> str:  # noqa: ARG001
    """For those who run Bise: a call that cost more than was thought possible."""
    return (
        f"A call of {coded(values['model'])} at “{plain(values['home'])}” has cost {dollars(int(values['cost']))}, "
        f"more than the {dollars(int(values['bound']))} that I had set aside for it. I have written down the true cost "
        "and set more aside from now on. Please compare its price in my catalogue with the provider's (`bise models`)."
    )


def budget_request(values: Values, platform: str) -> str:
    """For admins: who asks for money, and what the button does."""
    left = int(values["left"])
    rest = f"{dollars(left)} is left" if left else "nothing is left"
    scope = str(values["scope"])
    name = plain(values["who"]) or "Somebody"
    whose = f"{name} alone" if scope == "person" else _whose({**values, "who": ""}, platform)
    return (
        f"{name} would like to ask more: {rest} of what {whose} may spend {_per(str(values['period']))}. "
        f"{_anew(values)} The button adds {dollars(int(values['amount']))} for this month, once. "
        f"{_changed_by(values, platform)}"
    )


def top_up_done(values: Values, platform: str) -> str:  # noqa: ARG001
    """For everybody who sees the request: who answered it, and how."""
    by = plain(values["by"]) or "An admin"
    return f"{by} added {dollars(int(values['amount']))} for this month. I answer questions again."


def top_up_not_yours(values: Values, platform: str) -> str:  # noqa: ARG001
    if values.get("operators"):
        return "Only those who run Bise can add to this budget."
    return "Only an admin can add to the budget."


def report_place_lost(values: Values, platform: str) -> str:  # noqa: ARG001
    """For admins: alerts and reports cannot be written where they should be."""
    return (
        f"I can no longer write to {coded(values['place'])}, where alerts and reports should go. Invite me there "
        "again, or name another channel (BISE_REPORT_CHANNEL)."
    )


def post_cost(values: Values, platform: str) -> str:  # noqa: ARG001
    """What one answer cost."""
    calls, tokens, microusd = (int(values[name]) for name in ("calls", "tokens", "microusd"))
    if not calls:
        return "This answer cost nothing: no model was asked for it."
    how_often = "one call" if calls == 1 else f"{calls:,} calls"
    models = joined([coded(model) for model in str(values["models"]).split(", ") if model]) or "the model"
    cost = "cost nothing, as the model here is free" if values.get("free") else f"cost {dollars(microusd)}"
    guess = ", part of it estimated" if values.get("estimated") else ""
    return f"This answer {cost}{guess}: {how_often} of {models}, {tokens:,} tokens."


def money_choices(values: Values, platform: str) -> str:
    """What a workspace has chosen about its money."""
    command = _SETTINGS.get(platform, "/bise settings")
    economy = f"from {values['economy']} % of the month's budget" if values["economy"] else "`off`"
    zone = coded(values["zone"]) if values["zone"] else f"{coded(values['usual'])}, as it was set up"
    return (
        f"Its days begin and end by the zone {zone}; figures of single people `{_switch(values['people'])}`; "
        f"the economy model takes over: {economy}.\n"
        f"An admin changes these with `{command} zone Europe/Paris`, `{command} people on` and `{command} economy 80`."
    )


def money_choice_made(values: Values, platform: str) -> str:
    """One of them was made."""
    if values["what"] == "zone":
        name = coded(values["zone"] or values["usual"])
        return (
            f"Done: days and months begin and end by the zone {name} in {_here(platform)}. Those that have begun end "
            "as they were to end."
        )
    if values["what"] == "people":
        if values["people"]:
            return "Done: admins may look at the figures of single people. Each such look is written down."
        return "Done: nobody sees the figures of other people. Everybody sees their own, and the totals."
    if values["economy"]:
        return (
            f"Done: once {values['economy']} % of the month's budget is spent, I use the economy model for the rest of "
            "the month where nobody has chosen another."
        )
    return "Done: I do not change to the economy model by myself, unless there is no room for the usual one."


def money_choice_which(values: Values, platform: str) -> str:  # noqa: ARG001
    """What can be written."""
    if values["what"] == "people":
        return "Write on or off. On lets admins look at the figures of single people; each such look is written down."
    return "Write a number from 1 to 100, such as 80, or off: from which percent of the budget I use the economy model."


def budget_set_how(values: Values, platform: str) -> str:  # noqa: ARG001
    """How a limit is written."""
    if platform == "discord":
        return "Write `/bise-admin budget set` and choose day or month and an amount in US dollars, none or default."
    return (
        "Write `/bise budget set month 25` for the whole workspace, `/bise budget set day 2 channel` for this channel, "
        "or `/bise budget set day 0.50 user @Ada` for one person: day or month, and US dollars. In place of the amount "
        "you can write none, or default for what was set up."
    )


def _who(scope: str, values: Values, platform: str) -> str:
    """Whose limit it is, said to somebody who is refused."""
    if scope == "workspace" and values["workspace"] == _DIRECT:
        return _NAMED[_DIRECT]
    return {"person": "you", "channel": "this channel", "workspace": _here(platform)}.get(scope, _EVERYBODY)


def _whose(values: Values, platform: str) -> str:
    """The same said to admins, who may look after several workspaces."""
    scope, which = str(values["scope"]), str(values.get("who", ""))
    workspace = str(values.get("workspace", ""))
    if scope == "person":
        return _linked("@", which, platform) if which else "one person"
    if scope == "channel":
        return f"the channel {_linked('#', which, platform)}" if which else "one channel"
    if scope == "workspace":
        outside = workspace and not workspace.startswith("slack:")
        return _NAMED.get(workspace, f"the server {coded(workspace)}" if outside else _here(platform))
    return _EVERYBODY


def _linked(sign: str, which: str, platform: str) -> str:
    """The platform's own way to name somebody or a channel, for the platforms that show an id as a name."""
    return f"<{sign}{which}>" if platform == "discord" and which.isdecimal() else coded(which)


def _here(platform: str) -> str:
    return {"discord": "this server", "local": "this terminal"}.get(platform, "this workspace")


def _switch(on: str | int) -> str:
    return "on" if on else "off"


def _per(period: str) -> str:
    return "today" if period == "day" else "this month"


def _anew(values: Values) -> str:
    """When the period ends. Values without a readable moment get a sentence without it."""
    written, zone = str(values.get("resets", "")), str(values.get("zone", ""))
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return "The budget begins anew with the next day or month."
    return f"The budget begins anew on {day_and_time(moment)}{f' ({plain(zone)} time)' if zone else ''}."


def _raised_by(scope: str, values: Values, platform: str) -> str:
    if scope == "installation" or values["workspace"] == _DIRECT:
        return "Only those who run Bise can raise this limit."
    if platform == "local":
        return "`bise budget set` raises it."
    return f"An admin can raise the limit (`{_SET[platform]}`)."


def _changed_by(values: Values, platform: str) -> str:
    """For those who can change it themselves."""
    workspace = str(values["workspace"])
    if values["scope"] == "installation":
        command = "bise budget set --installation"
    elif workspace in _NAMED:  # no platform's command reaches it
        command = f"bise budget set --workspace {workspace}"
    else:
        command = _SET.get(platform, "bise budget set")
    return f"`{command}` changes the limit."


_EVERYBODY = "everybody on this installation of Bise together"
_DIRECT = "discord:dm"
_NAMED = {_DIRECT: "everybody in direct messages together", "local:cli": "the command line"}
_SETTINGS = {"discord": "/bise-admin settings", "slack": "/bise settings"}
_SET = {"slack": "/bise budget set", "discord": "/bise-admin budget set", "local": "bise budget set"}
_NONE_TOLD: Values = {
    "scope": "workspace",
    "period": "month",
    "left": 0,
    "limit": 0,
    "spent": 0,
    "percent": 100,
    "resets": "",
    "zone": "",
    "who": "",
    "workspace": "",
    "busy": 0,
    "amount": 5_000_000,
    "by": "",
    "seconds": 60,
    "model": "economy",
    "models": "",
    "home": "",
    "cost": 0,
    "bound": 0,
    "place": "",
    "what": "economy",
    "usual": "UTC",
    "people": 0,
    "economy": 0,
    "calls": 0,
    "tokens": 0,
    "microusd": 0,
}
_SAID: dict[str, Callable[[Values, str], str]] = {
    "budget_refused": budget_refused,
    "saved_money": saved_money,
    "too_fast": too_fast,
    "budget_alert": budget_alert,
    "above_bound": above_bound,
    "budget_request": budget_request,
    "top_up_done": top_up_done,
    "top_up_not_yours": top_up_not_yours,
    "report_place_lost": report_place_lost,
    "post_cost": post_cost,
    "money_choices": money_choices,
    "money_choice_made": money_choice_made,
    "money_choice_which": money_choice_which,
    "budget_set_how": budget_set_how,
}
NAMES = frozenset(_SAID)


def said(name: str, values: Values, platform: str) -> str:
    """The words of a notice with amounts, one of NAMES; what the core did not tell is left out of them."""
    return _SAID[name]({**_NONE_TOLD, **values}, platform)
