"""Images of a conversation: fetched once, kept, shown to a model that can see, and a plain sentence for the rest."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

from core.chat import ChatRequest, ImagePart
from core.errors import AttachmentError
from core.messages import Attachment
from tests.fakes import House, ScriptedModel, house, message, said


def png(shade: int = 0, side: int = 20) -> bytes:
    out = BytesIO()
    Image.new("RGB", (side, side), (shade, 100, 200)).save(out, "PNG")
    return out.getvalue()


def picture(number: int, *, size: int = 100) -> Attachment:
    return Attachment(f"F{number}", f"cat-{number}.png", "image/png", size, f"https://files/{number}")


def images(request: ChatRequest) -> list[ImagePart]:
    contents = [one.content for one in request.messages if not isinstance(one.content, str)]
    return [part for content in contents for part in content if isinstance(part, ImagePart)]


def offer(home: House, *numbers: int) -> None:
    home.platform.files |= {f"https://files/{number}": png(number) for number in numbers}


async def test_an_image_is_shown_to_the_vision_model_and_fetched_once(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model, chosen="codestral-2508") as home:
        offer(home, 1)
        await home.hear(message("What is this?", attachments=(picture(1),)), said("Sure?", "2"))
        assert home.platform.downloads == ["https://files/1"]
        assert home.platform.replies[0].statuses == [("reading_images", 1), ("thinking", 0)]
        assert home.rows("SELECT state, refusal FROM attachment") == [("ready", None)]
        assert home.rows("SELECT count(*) FROM blob") == [(1,)]
        assert home.rows("SELECT DISTINCT model FROM usage") == [("mistral-medium-3-5",)]
    first, second = (images(request) for request in model.requests)
    assert first == second
    assert (first[0].width, first[0].height) == (20, 20)


async def test_without_images_the_conversations_own_model_answers(tmp_path: Path) -> None:
    async with house(tmp_path, chosen="codestral-2508") as home:
        await home.hear(message())
        assert home.rows("SELECT model FROM usage") == [("codestral-2508",)]


async def test_what_cannot_be_read_gets_a_sentence_and_the_rest_is_still_answered(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, 1)
        home.platform.files["https://files/2"] = b"<html>" * 50
        home.platform.files["https://files/3"] = AttachmentError("unavailable", "cat-3.png")
        files = (picture(1), picture(2), picture(3), picture(4, size=20_000_000))
        await home.hear(message("What are these?", attachments=files))
        assert home.states() == ["done"]
        assert home.platform.told() == ["attachment_disguised", "attachment_unavailable", "attachment_too_large"]
        assert "https://files/4" not in home.platform.downloads, "nobody fetches 20 MB to refuse them"
        answer = home.platform.answers[0]
        assert answer is not None
        assert answer.text == "answer 1"
        assert answer.notices[0].values == {"name": "cat-2.png"}
    assert len(images(model.requests[0])) == 1


async def test_a_message_of_files_that_cannot_be_read_alone_asks_no_model(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        await home.hear(message("", attachments=(picture(1),)))
        assert (home.platform.told(), home.states()) == (["attachment_unavailable"], ["done"])
    assert model.requests == []


async def test_of_eleven_images_ten_are_read_and_the_newest_eight_shown(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, *range(1, 12))
        await home.hear(message("Which?", attachments=tuple(picture(number) for number in range(1, 12))))
        assert home.platform.told() == ["attachment_too_many"]
        assert len(home.platform.downloads) == 10
    shown = images(model.requests[0])
    assert len(shown) == 8
    assert len({part.data for part in shown}) == 8


async def test_a_model_that_cannot_see_says_so_and_answers(tmp_path: Path) -> None:
    model = ScriptedModel()
    own = "http://127.0.0.1:1"
    async with house(tmp_path, model=model, chosen="blind", self_hosted=True, mistral_base_url=own) as home:
        offer(home, 1)
        await home.hear(message("What is this?", attachments=(picture(1),)), said("And?", "2"))
        assert home.platform.told(0) == ["cannot_see"]
        assert home.platform.told(1) == []
    assert images(model.requests[0]) == []
    assert model.prompts()[0] == [("user", "Ada: What is this?\n[image cat-1.png, not shown]")]


async def test_the_same_image_twice_is_kept_once(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        home.platform.files |= {"https://files/1": png(), "https://files/2": png()}
        await home.hear(message("These?", attachments=(picture(1), picture(2))))
        assert home.rows("SELECT count(*), count(DISTINCT sha256) FROM attachment") == [(2, 1)]
        assert home.rows("SELECT count(*) FROM blob") == [(1,)]


async def test_pictures_of_others_in_the_thread_are_seen_when_the_bot_is_asked(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model, follow_ups="off") as home:
        offer(home, 7)
        await home.hear(message())
        await home.hear(said("Look at this", "2", attachments=(picture(7),)))
        assert home.platform.downloads == []
        await home.hear(said("What is on it?", "3", mentioned=True))
        assert home.platform.downloads == ["https://files/7"]
    assert len(images(model.requests[1])) == 1


async def test_a_stop_while_images_are_read_leaves_them_for_the_next_question(tmp_path: Path) -> None:
    async with house(tmp_path, started=False) as home:
        offer(home, 1)
        await home.core.accept(message("What is this?", attachments=(picture(1),)))
        await home.core.accept(said("stop", "2"))
        await home.core.start()
        await home.settled()
        assert home.rows("SELECT state FROM attachment") == [("pending",)]
        await home.hear(said("Now look", "3", mentioned=True))
        assert home.rows("SELECT state FROM attachment") == [("ready",)]
