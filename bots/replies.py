"""Every sentence that a person can meet, by name: what happened, what to do. One file, to be read at once."""

from __future__ import annotations

from collections.abc import Callable

from bots import money_words, privacy_words, report_choice_words, wording
from bots.wording import Values, coded, filled, plain
from core.messages import Notice

dollars = wording.dollars
_ADMIN = "Please tell whoever runs Bise here."
_AGAIN = "Please ask again in a minute."

_SENTENCES: dict[str, str] = {
    # a turn that ended early or otherwise than expected
    "stopped": "Stopped.",
    "length": "The answer reached its greatest length. Ask me to go on.",
    "cannot_see": "The model here cannot see images, so I answered without looking at them.",
    # model calls that failed
    "model": f"The model did not answer. {_AGAIN}",
    "model_unauthorized": f"I could not reach the model: it refused this installation's key. {_ADMIN}",
    "model_out_of_credit": (
        "I cannot answer right now. Whoever runs Bise here has to look after something first; please ask again later."
    ),
    "model_forbidden": "The model refused this question by its own rules. Try to ask it in another way.",
    "model_not_found": f"The model {{model}} is not there any more, and nothing replaces it. {_ADMIN}",
    "context_too_long": "This conversation is too long for the model. Write “reset” to me to begin anew.",
    "request_rejected": f"The model did not accept my request. That is a fault of mine. {_ADMIN}",
    "model_rate_limited": f"The model has too many questions right now. {_AGAIN}",
    "model_held_back": f"Too many questions are waiting for the model, so I did not pass on yours. {_AGAIN}",
    "model_given_up": "The model cannot be reached right now. I keep trying; please ask again in a few minutes.",
    "model_overloaded": f"The model is overloaded right now. {_AGAIN}",
    "model_server_error": f"The model had a fault of its own. {_AGAIN}",
    "model_unreachable": f"I could not reach the model. {_AGAIN}",
    "model_timeout": f"The model did not answer in time. {_AGAIN}",
    "stream_cut": "The model's answer broke off here. Ask me to go on, or ask again.",
    "empty_answer": "The model answered with nothing. Try to ask in another way.",
    "unknown_model": (
        "The model {model} is not in my list of prices, so I do not call it. Mention me with “model” alone to see "
        f"which others can be chosen. {_ADMIN}"
    ),
    # files
    "attachment_too_large": "I did not read {name}: it is larger than 10 MB. Send a smaller one.",
    "attachment_too_many": "I did not read {name}: I look at ten files of a message at most.",
    "attachment_not_an_image": "I did not read {name}: I can only read PDFs and images (PNG, JPEG, WEBP, GIF).",
    "attachment_disguised": "I did not read {name}: it says that it is an image or a PDF, but it is something else.",
    "attachment_too_many_pixels": "I did not read {name}: it has too many pixels. Send a smaller one.",
    "attachment_animated": "I did not read {name}: it moves. Send a single picture of it.",
    "attachment_corrupt": "I did not read {name}: the file is damaged. Try to save and send it again.",
    "attachment_encrypted": "I did not read {name}: it opens with a password only. Send a copy without one.",
    "attachment_unavailable": "I could not fetch {name}. Send it again, or ask an admin whether I may read files.",
    "document_cut": "I read the first {read} of {pages} pages of {name}. Send the others as a file of their own.",
    # what is asked of Bise itself
    "greeting": "Hello! Ask me something in the same message, or write “help”.",
    "reset": "Done: I start anew here, and no longer think of what was said before.",
    "leave": "I'll be quiet here until somebody mentions me.",
    "stop_not_yours": "Only the person who asked, or an admin, can stop this answer.",
    "which_conversation": "Reply to one of my answers with this word: then I know which conversation you mean.",
    "nothing_to_stop": "There is nothing of yours to stop here right now.",
    "too_long": "That is too long for me: I read {longest} characters of a message at most. Send a shorter part of it.",
    "external": "I only answer members of this workspace. Please ask one of them, or an admin to let me answer guests.",
    "workspace_not_allowed": f"I am not set up to answer in this workspace. {_ADMIN}",
    # choosing; more of it is at the end, with the names in it
    "recent_messages_on": "Done: in this workspace I may look up what was said lately in the channel I am asked in.",
    "recent_messages_off": "Done: I only read the conversation that I am asked in.",
    "recent_messages_which": "Write on or off. On lets me look up what was said lately in the channel I am asked in.",
    "not_admin": "Only an admin can change this. For one channel, you can use `/bise assistant` and `/bise model`.",
    # what those who run Bise are told
    "admin_key_refused": (
        "The model's home “{home}” refuses my key, so I get no answers from there. Set MISTRAL_API_KEY anew and "
        "restart me. If the key is good again as it is, I notice by myself, within a minute or with the next question."
    ),
    "admin_home_refused": (
        "The model's home “{home}” refuses me, so I get no answers from there. Renew its key, or what I may do there, "
        "and restart me. If it lets me in again as I am: I try again with the next question, at most once "
        "a minute."
    ),
    "admin_out_of_credit": (
        "The model's home “{home}” has no credit for us any more, or a spending limit is reached, so I get no answers "
        "from there. Look after its billing; I try again with the next question, at most once a minute. People are "
        "only told to ask again later."
    ),
    "admin_trouble_over": "The model's home “{home}” serves me again. People can ask as before.",
    # buttons
    "control_gone": "This button is no longer known to me. Ask again.",
    "control_not_yours": "Only the person who asked, or an admin, can stop this answer.",
    "already_finished": "This answer has already ended.",
    "again_not_yours": "Only the person who asked, or an admin, can ask this again. Mention me with your own question.",
    "already_asked_again": "This was asked again already: look further down for the answer.",
    "question_gone": "The question to this answer is gone. Please ask it anew.",
    # what was missed
    "missed": (
        "I was away when I was asked something here. That is a while ago, so I have not answered it. "
        "Press the button if it still matters."
    ),
    "answered_now": "I answer now what I was asked here while I was away.",
    "answered_now_before": "Somebody pressed this button before: the answers are on their way, or have been given.",
    "answer_now_not_yours": "Only those who asked, or an admin, can have this answered. Mention me with your question.",
    "stored_later": "I cannot write down your message right now. I answer it as soon as I can; no need to ask again.",
    # places
    "store_unavailable": f"I could not write down your message, so I cannot answer it. {_AGAIN}",
    "empty_prompt": "Write your question after the command, for example: {example}",
    "unknown_subcommand": "I do not know “{name}”. You can write: {known}.",
    "place_gone": "The place for this answer is gone.",
    "place_forbidden": "I may not write there. Ask an admin to let me see the channel and send messages in it.",
    "platform_unavailable": f"The chat did not take my answer. {_AGAIN}",
    "thread_failed": "I could not open a thread here. Use /ask instead, or ask an admin to let me open threads.",
    "chat_opened": "Every message in this thread is answered. Write “stop” to end an answer, “leave” to send me off.",
    "chat_opened_mentions": "Mention me here when you want an answer: I cannot read other messages in this server.",
    "interaction_over": "I could not finish a private answer in time. Please ask again.",
    "unexpected": f"Something went wrong on my side. {_AGAIN}",
    **money_words.SENTENCES,
    **report_choice_words.SENTENCES,
    **privacy_words.SENTENCES,
}

MEMBERSHIP_UNKNOWN = (
    "Slack has not told me yet whether you are a member of this workspace. Please ask again in a minute."
)
LATE = "This takes longer than usual. You hear from me here as soon as I can."
TRAINING_NOTE = (
    "This installation uses Mistral's free plan: what you write to me may be used to train models. "
    "Please keep private things out of it."
)

STOP = "Stop"
ASK_AGAIN = "Ask again"
ANSWER_NOW = "Answer now"

_STATUS = {
    "thinking": "is thinking…",
    "reading_images": "is looking at {count} images…",
    "reading_image": "is looking at an image…",
    "reading_documents": "is reading {count} documents…",
    "reading_document": "is reading a document…",
    "waiting_for_model": "is waiting for the model…",
    "using_tool": "is looking that up…",
    "waiting_for_budget": "is waiting for room in the budget…",
}
_STATUS_OF_ONE = {"reading_images": "reading_image", "reading_documents": "reading_document"}


def sentence(notice: Notice, *, platform: str = "local") -> str:
    """The words of a notice. An unknown name gets the general sentence: people are never left without one."""
    if notice.name == "cost":
        return _cost(notice.values)
    if notice.name == "help":
        notes = privacy_notes(notice.values)
        return help_text(platform, assistants=str(notice.values.get("assistants", "")), notes=notes)
    if notice.name == "greeting":
        return " ".join((_SENTENCES[notice.name], *privacy_notes(notice.values)))
    if notice.name == "model_not_found" and (by := str(notice.values.get("by", ""))) in _BACK_OF:
        return f"The model {coded(notice.values.get('model', ''))} cannot be had here. {_back(by, platform)}"
    if notice.name in _CHOOSING:
        return _CHOOSING[notice.name]({**_AS_SET_UP, **notice.values})
    if notice.name in money_words.NAMES:
        return money_words.said(notice.name, notice.values, platform)
    if notice.name in _SAID:
        return _SAID[notice.name](notice.values, platform)
    if notice.name == "model_rate_limited" and "seconds" in notice.values:
        return f"The model has too many questions right now. Please ask again in {notice.values['seconds']} seconds."
    return filled(_SENTENCES.get(notice.name, _SENTENCES["unexpected"]), notice.values)


def operator_sentence(notice: Notice) -> str:
    """The words of a notice for whoever asks from the terminal, who runs this: also what is to be mended, and where."""
    return filled(_OPERATOR[notice.name], notice.values) if notice.name in _OPERATOR else sentence(notice)


def status_text(name: str, count: int = 0) -> str:
    """What Bise "is doing…", to follow its name."""
    return _STATUS[_STATUS_OF_ONE.get(name, name) if count == 1 else name].format(count=count)


def privacy_notes(values: Values) -> tuple[str, ...]:
    """What help and introductions say of where words go. `values`: of `core.privacy.record.where`."""
    where = privacy_words.where_words_go(values)
    return (*((where,) if where else ()), *((TRAINING_NOTE,) if values.get("training") else ()))


def known() -> frozenset[str]:
    """The names that have a sentence."""
    return frozenset(_SENTENCES) | {"cost", "help", *_CHOOSING, *money_words.NAMES, *_SAID}


def help_text(platform: str, *, assistants: str = "", notes: tuple[str, ...] = ()) -> str:
    """What Bise does and how to ask it.

    `assistants`: the names that can be chosen. `notes`: what is special here, such as a missing permission.
    """
    choose = (_HELP_ASSISTANTS.format(names=assistants),) if assistants else ()
    return "\n".join((*_HELP[platform if platform in _HELP else "local"], *_HELP_END, *choose, *notes))


def _cost(values: Values) -> str:
    calls, tokens, microusd = (int(values.get(name, 0)) for name in ("calls", "tokens", "microusd"))
    if not calls:
        return "This conversation has cost nothing yet."
    how_often = "one call" if calls == 1 else f"{calls:,} calls"
    if values.get("free"):
        return f"This conversation took {how_often} of the model and {tokens:,} tokens. The model here costs nothing."
    return f"This conversation has cost {dollars(microusd)} so far: {how_often} of the model, {tokens:,} tokens."


def _holds(values: Values) -> str:
    """What holds here; after a choice, that it is done; else which names there are and how to choose one."""
    what, by, place = values["what"], str(values["by"]), str(values["place"])
    name = f"{coded(values['name'])}{f' ({text})' if (text := plain(values['description'])) else ''}"
    whose = _WHOSE[by]
    if values["chosen"]:
        if by == place:
            return f"Done: the {what} {_PLACE[place]} is now {name}."
        return f"Done: nothing is chosen {_PLACE[place]} any more. The {what} is {name}, {whose}."
    how = (
        f"Mention me with “{what} NAME” to choose for this conversation, with “{what} default” to take that back."
        if place == "conversation"
        else f"`/bise {what} NAME` chooses for this channel, `/bise {what} default` takes that back."
    )
    return f"The {what} {_PLACE[place]} is {name}, {whose}.\nThere are: {_names(values['known'])}.\n{how}"


def _back(by: str, platform: str) -> str:
    """How a model that somebody chose is given up again."""
    if platform == "local":
        return "Leave out --model for the usual one; `bise models` lists others."
    return _BACK_OF[by].format(settings=_SETTINGS_COMMAND.get(platform, "/bise settings"))


def _unknown(values: Values) -> str:
    near = str(values["near"])
    known = f"Did you mean {_names(near, ' or ')}?" if near else f"There are: {_names(values['known'])}."
    return f"I know no {values['what']} {coded(values['name'])}. {known}"


def _workspace_settings(values: Values) -> str:
    recent = "on" if values["recent"] else "off"
    return (
        f"For this workspace: assistant {coded(values['assistant'])}, model {coded(values['model'])}, "
        f"recent-messages `{recent}`, secrets {coded(values['secrets'])}.\n"
        "Change one with `settings assistant NAME`, `settings model NAME`, `settings recent-messages on` or "
        "`settings secrets refuse`. "
        "What a channel or a conversation has chosen for itself stays."
    )


def _names(names: str | int, between: str = ", ") -> str:
    return between.join(coded(name) for name in str(names).split(", "))


_WHOSE = {
    "conversation": "chosen for this conversation",
    "channel": "chosen for this channel",
    "workspace": "chosen for this workspace",
    "": "as it was set up",
}
_BACK_OF = {
    "conversation": "Mention me with “model default” to go back to the usual one.",
    "channel": "`/bise model default` goes back to the usual one.",
    "workspace": "An admin can go back to the usual one with `{settings} model default`.",
}
_SETTINGS_COMMAND = {"discord": "/bise-admin settings"}
_OPERATOR = {
    "model_unauthorized": (
        "I could not reach the model: it refused this installation's key. Make a new one at the model's home, set it "
        "(MISTRAL_API_KEY in .env for Mistral's own API), and ask again. `bise doctor` checks it."
    ),
    "model_out_of_credit": (
        "The model's home has no credit for this key any more, or a spending limit is reached. Look after its billing "
        "(for Mistral's own API at https://console.mistral.ai), and ask again."
    ),
    "model_forbidden": (
        "The model's home refused this question, by its own rules or because the key may not use this model. Try to "
        "ask it in another way; `bise doctor` checks the key."
    ),
    "unknown_model": (
        "The model {model} is not in my list of prices, so I do not call it. `bise models` lists those that are; "
        "BISE_CATALOGUE_FILE adds others."
    ),
}
_PLACE = {"conversation": "in this conversation", "channel": "in this channel", "workspace": "in this workspace"}
_AS_SET_UP: Values = {
    "what": "assistant",
    "name": "default",
    "description": "",
    "by": "",
    "place": "channel",
    "chosen": 0,
    "near": "",
    "known": "default",
    "assistant": "default",
    "model": "default",
    "recent": 0,
    "secrets": "mask",
}
_SAID = {**report_choice_words.SAID, **privacy_words.SAID}
_CHOOSING: dict[str, Callable[[Values], str]] = {
    "choice_holds": _holds,
    "choice_unknown": _unknown,
    "workspace_settings": _workspace_settings,
}

_HELP: dict[str, tuple[str, ...]] = {
    "slack": (
        "Mention me in a channel or a thread and I answer there; in a thread that you began with me, just write on.",
        "In a direct message just write; “new topic” begins another conversation.",
        "`/bise ask QUESTION` gives an answer that only you see. `/bise help` shows this.",
        "`/bise usage` shows what was used, `/bise budget` what is left.",
        "`/bise assistant NAME` and `/bise model NAME` choose for a channel, `/bise settings` for the workspace.",
    ),
    "discord": (
        "`/ask` gives an answer where you are; reply to it to go on. `/chat` opens a thread where I answer everything.",
        "Or mention me, reply to me, or write me a direct message. Answers to `/bise …` are for you alone.",
        "`/bise usage` shows what was used, `/bise budget` what is left.",
        "`/bise assistant NAME` and `/bise model NAME` choose for a channel, `/bise-admin settings` for the server.",
    ),
    "local": ("`bise ask QUESTION` gives an answer. `bise --help` shows the other commands.",),
}
_HELP_END = (
    "A word alone does this: “stop” ends an answer, “reset” starts anew, “cost” tells what it has cost.",
    "“leave” makes me quiet until the next mention.",
    "“assistant NAME” or “model NAME” chooses who answers in this conversation; the word alone says who does now.",
    "Attach images (PNG, JPEG, WEBP, or a GIF that is not animated) or a PDF, and I read them.",
)
_HELP_ASSISTANTS = "Assistants to choose from: {names}."
