"""Slack's error codes, all of them, as errors of `core.errors` and of the writer."""

from __future__ import annotations

from core.errors import PlaceForbidden, PlaceGone, PlatformError, PlatformUnavailable, TokenRevoked

GONE = frozenset(
    {
        "channel_not_found",
        "is_archived",
        "channel_is_archived",
        "not_in_channel",
        "message_not_found",
        "thread_not_found",
        "user_not_found",
        "users_not_found",
        "user_disabled",
        "used_url",
        "expired_url",
        "expired_trigger_id",
        "invalid_ts_latest",
    }
)
FORBIDDEN = frozenset(
    {
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "missing_scope",
        "no_permission",
        "access_denied",
        "ekm_access_denied",
        "team_access_not_granted",
        "not_allowed_token_type",
        "messages_tab_disabled",
        "cannot_dm_bot",
        "cant_update_message",
        "cant_delete_message",
        "edit_window_closed",
        "method_not_supported_for_channel_type",
        "channel_type_not_supported",
        "not_authorized",
        "user_is_restricted",
        "is_inactive",
    }
)
REVOKED = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "invalid_token",
    }
)
# Slack's own words for "some of it may have been done".
UNSURE = frozenset({"internal_error", "fatal_error", "request_timeout", "bad_gateway"})
UNAVAILABLE = frozenset(
    {
        "service_unavailable",
        "team_added_to_org",
        "org_login_required",
        "no_service",
        "upgrade_required",
    }
)

# Slack will not take this method from this app at all, whatever the arguments: no use in asking again for a while.
METHOD_REFUSED = frozenset(
    {
        "unknown_method",
        "method_deprecated",
        "deprecated_endpoint",
        "missing_scope",
        "not_allowed_token_type",
        "feature_not_enabled",
        "not_allowed",
        "no_permission",
        "access_denied",
        "team_access_not_granted",
        "ekm_access_denied",
    }
)


class Unsure(PlatformUnavailable):
    """The call may or may not have been carried out: the connection broke, or the answer was no answer."""


def failure(method: str, code: str | None, status: int) -> PlatformError:
    """The error for what Slack answered; total: an unknown code is a plain PlatformError that carries it.

    `code`: Slack's `error`, None where the body held none. `status`: the HTTP status. Never for status 429.
    """
    word = code or f"http_{status}"
    message = f"{method}: {word}"
    if word in GONE:
        return PlaceGone(message, code=word)
    if word in FORBIDDEN:
        return PlaceForbidden(message, code=word)
    if word in REVOKED or (code is None and status == 401):
        return TokenRevoked(message, code=word)
    if code is None or status >= 500 or word in UNSURE:
        return Unsure(message, code=word)
    if word in UNAVAILABLE:
        return PlatformUnavailable(message, code=word)
    return PlatformError(message, code=word)
