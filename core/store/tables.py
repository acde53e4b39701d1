"""The tables of DESIGN.md, section 5, as far as they are needed yet. Rows never leave `core/store`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, false, text
from sqlmodel import Field

from core.store.columns import BigInt, Json, Table, key, moment, reference


class Workspace(Table, table=True):
    """`assistant`, `model`: what holds where nothing nearer was chosen. `recent_messages`: a tool may look them up."""

    __tablename__ = "workspace"
    __table_args__ = (UniqueConstraint("platform", "external_id"),)
    id: int | None = key()
    platform: str
    external_id: str
    name: str | None = None
    zone: str | None = None
    assistant: str | None = None
    model: str | None = None
    recent_messages: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_at: datetime = moment()


class Person(Table, table=True):
    """Who wrote. Erasable: forgetting empties `name` and replaces `external_id`; nothing else names a person."""

    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("workspace_id", "external_id"),)
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    external_id: str
    name: str | None = None
    forgotten_at: datetime | None = moment(optional=True)


class Conversation(Table, table=True):
    """What belongs together. `begun_with_bot`: its first message was addressed to the bot.

    `history_from_seq`: nothing before it is shown to the model ("reset"). `trimmed_to_seq`: where the last trimming
    in big steps let the history begin. `asker_id`: whose question came last; `others_since`: somebody else has
    written after it. `assistant`, `model`: chosen here. `parent_channel`: the channel that a Discord thread hangs in,
    whose choices hold in it.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("workspace_id", "channel", "root"),
        Index("ix_conversation_recent", "workspace_id", "channel", "last_at"),
    )
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    kind: str
    channel: str
    parent_channel: str | None = None
    root: str
    begun_with_bot: bool
    left: bool = False
    last_seq: int = 0
    history_from_seq: int = 0
    trimmed_to_seq: int = 0
    asker_id: int | None = reference("person.id", optional=True)
    others_since: bool = False
    assistant: str | None = None
    model: str | None = None
    created_at: datetime = moment()
    last_at: datetime = moment()


class ChannelChoice(Table, table=True):
    """The assistant and model of a channel's conversations that chose nothing themselves."""

    __tablename__ = "channel_choice"
    workspace_id: int = Field(foreign_key="workspace.id", primary_key=True, sa_type=BigInt)
    channel: str = Field(primary_key=True)
    assistant: str | None = None
    model: str | None = None
    set_by: int = reference("person.id")
    set_at: datetime = moment()


class Message(Table, table=True):
    """One message of a conversation. An answer has source "turn" and the turn's id: a turn has one answer at most."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("workspace_id", "source", "source_id"),
        UniqueConstraint("conversation_id", "seq"),
    )
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    conversation_id: int = reference("conversation.id")
    seq: int
    role: str  # person | assistant | command (never shown to the model)
    source: str
    source_id: str
    person_id: int | None = reference("person.id", optional=True, index=True)
    parent_id: int | None = reference("message.id", optional=True)
    text: str
    addressed: bool
    sent_at: datetime = moment()
    edited_at: datetime | None = moment(optional=True)
    deleted_at: datetime | None = moment(optional=True)


class Blob(Table, table=True):
    """Bytes of an image as the model is shown it, by workspace and hash, so that no workspace shares one."""

    __tablename__ = "blob"
    workspace_id: int = Field(foreign_key="workspace.id", primary_key=True, sa_type=BigInt)
    sha256: str = Field(primary_key=True)
    mime: str
    width: int
    height: int
    data: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = moment()


class Attachment(Table, table=True):
    """A file of a message. `state`: pending, ready (`sha256` names its blob) or refused (`refusal` says why)."""

    __tablename__ = "attachment"
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    message_id: int = reference("message.id", index=True)
    platform_id: str
    name: str
    mime: str
    size: int
    url: str
    state: str = "pending"
    sha256: str | None = None
    refusal: str | None = None


class Turn(Table, table=True):
    """One answer to produce. `command`: answered by ourselves, without a model. `address`: how to reach its place.

    `refused_by`: which limit left no money for it (installation, workspace, channel, person, turn). `saved_by`: what
    made it cheaper when money was short, by commas (history, length, economy).
    """

    __tablename__ = "turn"
    __table_args__ = (
        UniqueConstraint("message_id", "ordinal"),
        Index("ix_turn_conversation", "conversation_id", "id"),
        Index("ix_turn_state", "state", "id"),
        Index(
            "ix_turn_report",  # all that a report asks of turns
            *("workspace_id", "local_date", "state", "refused_by", "saved_by"),
            sqlite_where=text("local_date IS NOT NULL"),
            postgresql_where=text("local_date IS NOT NULL"),
        ),
        Index("ix_turn_workspace_created", "workspace_id", "created_at"),
    )
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    conversation_id: int = reference("conversation.id")
    message_id: int = reference("message.id")
    cause: str  # asked | regenerated | continued | edited
    ordinal: int = 1
    supersedes: int | None = reference("turn.id", optional=True)
    command: str | None = None
    state: str = "queued"  # queued | running | done | failed | cancelled
    attempt: int = 0
    lease_until: datetime | None = moment(optional=True)
    stop_requested_at: datetime | None = moment(optional=True)
    stopped_by: int | None = reference("person.id", optional=True)
    address: dict[str, str] = Field(default_factory=dict, sa_type=Json)
    answer_id: int | None = reference("message.id", optional=True)
    outcome: str | None = None
    notices: list[dict[str, Any]] | None = Field(default=None, sa_type=Json)
    local_date: date | None = None  # of the workspace, when it was answered
    refused_by: str | None = None
    saved_by: str | None = None
    created_at: datetime = moment()
    started_at: datetime | None = moment(optional=True)
    finished_at: datetime | None = moment(optional=True)


class Post(Table, table=True):
    """A message of ours on the platform that shows a part of an answer."""

    __tablename__ = "post"
    __table_args__ = (UniqueConstraint("turn_id", "ordinal"), Index("ix_post_platform", "workspace_id", "platform_id"))
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    turn_id: int = reference("turn.id")
    ordinal: int
    platform_id: str
    start: int
    closed: bool = False


class Control(Table, table=True):
    """A button of ours. Its id is not to be guessed; it works as long as its turn is stored."""

    __tablename__ = "control"
    id: str = Field(primary_key=True)
    workspace_id: int = reference("workspace.id")
    turn_id: int = reference("turn.id", index=True)
    kind: str  # stop | again | answer_now
    person_id: int = reference("person.id")
    created_at: datetime = moment()
    used_at: datetime | None = moment(optional=True)


class Usage(Table, table=True):
    """One model call, as billed; append-only. Costs in micro-dollars; `estimated` where the provider told no usage.

    `reservation_id`: the hold that it settles, once. A row that `corrects` another adds to it what was wrong there: no
    call of its own. `estimated_microusd`: what of the cost is still a guess; a correction takes that back.
    """

    __tablename__ = "usage"
    __table_args__ = (
        Index(
            "ix_usage_report",  # all that a report asks of the ledger, so that it need not look up each row
            *("workspace_id", "local_date", "model", "home", "price_from", "channel", "turn_id", "corrects"),
            *("person_id", "first_text_ms", "prompt_tokens", "completion_tokens", "cached_tokens"),
            *("cost_microusd", "estimated_microusd"),
        ),
        Index(
            "ix_usage_correction",
            *("workspace_id", "at"),
            sqlite_where=text("corrects IS NOT NULL"),
            postgresql_where=text("corrects IS NOT NULL"),
        ),
        Index("ix_usage_conversation", "conversation_id"),
        Index(
            "ix_usage_reservation",
            "reservation_id",
            unique=True,
            sqlite_where=text("reservation_id IS NOT NULL AND corrects IS NULL"),
            postgresql_where=text("reservation_id IS NOT NULL AND corrects IS NULL"),
        ),
    )
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    conversation_id: int = reference("conversation.id")
    turn_id: int = reference("turn.id", index=True)
    person_id: int | None = reference("person.id", optional=True)
    channel: str
    attempt: int
    home: str
    model: str
    price_from: date | None = None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_microusd: int = Field(sa_type=BigInt)
    estimated: bool
    estimated_microusd: int = Field(default=0, sa_type=BigInt, sa_column_kwargs={"server_default": text("0")})
    local_date: date
    day_period: str
    month_period: str
    installation_day: str | None = None
    installation_month: str | None = None
    first_text_ms: int | None = None
    total_ms: int
    outcome: str
    correlation_id: str | None = None
    corrects: int | None = reference("usage.id", optional=True)
    reservation_id: int | None = Field(default=None, sa_type=BigInt)
    at: datetime = moment()


class Process(Table, table=True):
    """A `bise serve` that works on this database. `gateway_at`: when it last looked after its share of shards."""

    __tablename__ = "process"
    id: str = Field(primary_key=True)
    roles: str  # by commas
    seen_at: datetime = moment()
    gateway_at: datetime | None = moment(optional=True)


class GatewayShard(Table, table=True):
    """A shard of Discord's gateway, and the process that holds it until then; None: nobody."""

    __tablename__ = "gateway_shard"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    process: str | None = None
    until: datetime = moment()


class GatewayDoor(Table, table=True):
    """Through which one connection at a time identifies itself to Discord's gateway, and the next from then on."""

    __tablename__ = "gateway_door"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    opens_at: datetime = moment()


class ChannelMark(Table, table=True):
    """How far a channel was heard: the platform's number of the newest message that nothing before is missing of.

    The channel "" holds for a workspace's channels that have none: where it began to listen there.
    """

    __tablename__ = "channel_mark"
    workspace_id: int = Field(foreign_key="workspace.id", primary_key=True, sa_type=BigInt)
    channel: str = Field(primary_key=True)
    mark: int = Field(sa_type=BigInt)


class MissedNotice(Table, table=True):
    """What a channel is told of questions that came too long ago. Without `posted_at` it is still to be posted.

    `claimed_until`: until then somebody is at it; once set, an earlier try may have arrived without our knowing.
    """

    __tablename__ = "missed_notice"
    __table_args__ = (Index("ix_missed_notice_channel", "workspace_id", "channel"),)
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    channel: str
    control_id: str = Field(foreign_key="control.id", unique=True)
    claimed_until: datetime | None = moment(optional=True)
    platform_id: str | None = None
    posted_at: datetime | None = moment(optional=True)
    created_at: datetime = moment()


class MissedQuestion(Table, table=True):
    """A turn that a notice speaks of; its state is "held" until somebody presses the notice's button."""

    __tablename__ = "missed_question"
    turn_id: int = Field(foreign_key="turn.id", primary_key=True, sa_type=BigInt)
    notice_id: int = reference("missed_notice.id", index=True)


class SchemaFloor(Table, table=True):
    """One row: the oldest version of the code that can still work on this schema. Only contracting steps raise it."""

    __tablename__ = "schema_floor"
    id: int | None = Field(default=None, primary_key=True)
    oldest: str
