"""Documents of a conversation: drawn once, their pages kept and shown like images, and a sentence for the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bots.playground.mistral.simulator import MistralSimulator
from bots.terminal.ask import ask
from core.messages import Attachment, Notice
from core.store import conversations
from core.turns.images import Images
from tests.fakes import House, ScriptedModel, house, message, said, settings_at
from tests.integration.test_turn_images import images, picture, png
from tests.unit.test_documents import pdf, sealed, shade

SMALL = "0 0 40 40"


def paper(number: int, name: str | None = None) -> Attachment:
    return Attachment(
        f"P{number}", name or f"contract-{number}.pdf", "application/pdf", 900, f"https://papers/{number}"
    )


def offer(home: House, number: int, pages: int) -> None:
    contents = [shade(10 * number + page) for page in range(pages)]
    home.platform.files[f"https://papers/{number}"] = pdf(contents, box=SMALL)


async def test_a_document_is_shown_to_the_vision_model_page_by_page_and_read_once(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model, chosen="codestral-2508") as home:
        offer(home, 1, 3)
        await home.hear(message("What is agreed?", attachments=(paper(1),)), said("Sure?", "2"))
        assert home.platform.downloads == ["https://papers/1"]
        assert home.platform.replies[0].statuses == [("reading_documents", 1), ("thinking", 0)]
        assert home.platform.told() == []
        assert home.rows("SELECT state, name, mime FROM attachment ORDER BY id") == [
            ("document", "contract-1.pdf", "application/pdf; pages=3; read=3"),
            ("ready", "contract-1.pdf, page 1", "image/png"),
            ("ready", "contract-1.pdf, page 2", "image/png"),
            ("ready", "contract-1.pdf, page 3", "image/png"),
        ]
        assert home.rows("SELECT count(*) FROM blob") == [(3,)]
        assert home.rows("SELECT DISTINCT model FROM usage") == [("mistral-medium-3-5",)]
    first, second = (images(request) for request in model.requests)
    assert first == second
    assert len({page.data for page in first}) == 3
    assert model.prompts()[0] == [("user", "Ada: What is agreed? <image> <image> <image>")]


async def test_of_a_long_document_people_are_told_what_was_read_with_each_answer_to_it_alone(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, 1, 31)
        file = paper(1, "con*tract.pdf")
        await home.hear(message("What is agreed?", attachments=(file,)), said("Sure?", "2"))
        answer = home.platform.answers[0]
        assert answer is not None
        assert answer.notices == (Notice("document_cut", {"name": "con*tract.pdf", "read": 8, "pages": 31}),)
        assert home.platform.told(1) == []
        assert home.rows("SELECT mime FROM attachment WHERE state = 'document'") == [
            ("application/pdf; pages=31; read=8",)
        ]
    assert len(images(model.requests[0])) == 8


async def test_pages_stand_where_their_document_stood(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, 1, 2)
        home.platform.files |= {"https://files/1": png(1), "https://files/2": png(2)}
        await home.hear(message("Compare", attachments=(picture(1), paper(1), picture(2))), said("Sure?", "2"))
    first, second = (images(request) for request in model.requests)
    assert first == second
    assert [page.width for page in first] == [20, 167, 167, 20]


async def test_the_newest_eight_are_shown_and_older_pages_are_a_note(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, 1, 5)
        offer(home, 2, 5)
        await home.hear(message("The first", attachments=(paper(1),)))
        await home.hear(said("The second", "2", mentioned=True, attachments=(paper(2),)))
        assert home.platform.told() == []
    shown = images(model.requests[1])
    assert shown[:3] == images(model.requests[0])[2:]
    assert len(shown) == 8
    notes = "[image contract-1.pdf, page 1, not shown]\n[image contract-1.pdf, page 2, not shown]"
    assert model.prompts()[1][0] == ("user", f"Ada: The first\n{notes} <image> <image> <image>")


async def test_what_cannot_be_read_gets_a_sentence_and_the_rest_is_still_answered(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, 1, 1)
        home.platform.files |= {
            "https://papers/2": sealed(),
            "https://papers/3": b"%PDF-1.7 and nothing more",
            "https://papers/4": b"<!DOCTYPE html><title>Sign in</title>",
        }
        await home.hear(message("What is agreed?", attachments=tuple(paper(number) for number in range(1, 5))))
        assert home.states() == ["done"]
        assert home.platform.told() == ["attachment_encrypted", "attachment_corrupt", "attachment_disguised"]
    assert len(images(model.requests[0])) == 1


async def test_magic_bytes_decide_and_not_the_name(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        home.platform.files |= {"https://files/1": pdf(box=SMALL), "https://papers/1": png()}
        await home.hear(message("What are these?", attachments=(picture(1), paper(1))))
        assert home.platform.told() == []
        assert home.rows("SELECT name, state FROM attachment ORDER BY id") == [
            ("cat-1.png", "document"),
            ("contract-1.pdf", "ready"),
            ("cat-1.png, page 1", "ready"),
        ]
    assert [page.width for page in images(model.requests[0])] == [167, 20]


async def test_a_redelivered_question_and_a_second_attempt_double_no_page(tmp_path: Path) -> None:
    asked = message("What is agreed?", attachments=(paper(1),))
    async with house(tmp_path) as home:
        offer(home, 1, 2)
        await home.hear(asked, asked)
        assert home.platform.downloads == ["https://papers/1"]
        assert home.rows("SELECT count(*) FROM attachment") == [(3,)]


async def test_two_workers_that_read_the_same_document_keep_its_pages_once(tmp_path: Path) -> None:
    async with house(tmp_path, started=False) as home:
        offer(home, 1, 2)
        await home.core.accept(message("What is agreed?", attachments=(paper(1),)))
        database, key = home.core.database, message().workspace
        pending = await database.read(lambda connection: conversations.attachments(connection, 1, [1]))
        pictures = Images(database, home.clock)
        both = [await pictures.prepare(home.platform, 1, key, pending) for _ in range(2)]
        again = await database.read(lambda connection: conversations.attachments(connection, 1, [1]))
        await pictures.aclose()
        assert both == [again, again]
        assert [file.page and file.page.number for file in again] == [1, 2]
        assert home.rows("SELECT count(*) FROM attachment") == [(3,)]
        assert await pictures.prepare(home.platform, 1, key, again) == again
        assert len(home.platform.downloads) == 2


async def test_a_document_counts_as_one_of_the_ten_files_of_a_message(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, 1, 8)
        home.platform.files |= {f"https://files/{number}": png(number) for number in range(1, 11)}
        files = (paper(1), *(picture(number) for number in range(1, 11)))
        await home.hear(message("Which?", attachments=files))
        assert home.platform.told() == ["attachment_too_many"]
    assert [page.width for page in images(model.requests[0])] == [20] * 8


async def test_a_second_attempt_reads_what_the_first_one_left(tmp_path: Path) -> None:
    async with house(tmp_path, started=False) as home:
        offer(home, 1, 8)
        home.platform.files |= {f"https://files/{number}": png(number) for number in range(1, 10)}
        files = (paper(1), *(picture(number) for number in range(1, 10)))
        await home.core.accept(message("Which?", attachments=files))
        database, key = home.core.database, message().workspace
        pending = await database.read(lambda connection: conversations.attachments(connection, 1, [1]))
        pictures = Images(database, home.clock)
        await pictures.prepare(home.platform, 1, key, pending[:1])
        left = await database.read(lambda connection: conversations.attachments(connection, 1, [1]))
        await pictures.prepare(home.platform, 1, key, left)
        await pictures.aclose()
        assert home.rows("SELECT DISTINCT state FROM attachment ORDER BY state") == [("document",), ("ready",)]
        assert home.platform.downloads.count("https://papers/1") == 1


async def test_a_message_of_a_document_alone_is_answered(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, 1, 1)
        await home.hear(message("", attachments=(paper(1),)))
        assert home.states() == ["done"]
    assert len(images(model.requests[0])) == 1


async def test_a_document_is_asked_about_from_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = tmp_path / "contract.pdf"
    contract.write_bytes(pdf([shade(page) for page in range(9)], box=SMALL))
    simulator = MistralSimulator(api_key="k")
    async with simulator.running():
        file = tmp_path / "data" / "bise.db"
        settings = settings_at(file, mistral_api_key="k", mistral_base_url=simulator.base_url)
        with capture_logs():
            assert await ask(settings, "What is agreed?", [contract], as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert "I see 8 images." in found["answer"]
    assert found["notices"] == [
        "I read the first 8 of 9 pages of contract.pdf. Send the others as a file of their own."
    ]
