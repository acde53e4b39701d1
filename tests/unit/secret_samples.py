"""Texts with secrets and texts that only look so. No secret here opens anything, and none stands whole in this file."""

from __future__ import annotations

import random
import string

from core.privacy.secrets import Kind

_ALNUM = string.ascii_letters + string.digits
_random = random.Random(8)


def _of(length: int, among: str = _ALNUM) -> str:
    """Letters by chance, the same at every run, among them at least one of each kind."""
    kinds = [
        kind for kind in (string.ascii_uppercase, string.ascii_lowercase, string.digits) if set(kind) <= set(among)
    ]
    word = [_random.choice(kind) for kind in kinds] + [_random.choice(among) for _ in range(length - len(kinds))]
    _random.shuffle(word)
    return "".join(word)


def _key_of_32() -> str:
    """As chance mostly makes them: letters, capitals and digits well mixed."""
    return "".join(_random.choice(_ALNUM[place % 3 :: 3]) for place in range(29)) + "aB7"


def _lines(count: int) -> str:
    return "\n".join([*(_of(64, _ALNUM + "+/") for _ in range(count)), _of(37) + "="])


def _pem(name: str, body: str) -> str:
    return f"{'-' * 5}BEGIN {name}{'-' * 5}\n{body}\n{'-' * 5}END {name}{'-' * 5}"


_BASE32 = string.ascii_uppercase + "234567"
AWS_ID, AWS_SECRET = "AK" + "IA" + _of(16, _BASE32), _of(40, _ALNUM + "+/")
GITHUB = "gh" + "p_" + _of(36)
BOT = "xo" + "xb-" + f"{_of(12, string.digits)}-{_of(13, string.digits)}-{_of(24)}"
HOOK = "https://hooks.sl" + f"ack.com/services/T{_of(10, _BASE32)}/B{_of(10, _BASE32)}/{_of(24)}"
MISTRAL = _key_of_32()
LOWER = _of(32, string.ascii_lowercase + string.digits)
RSA = _pem("RSA PRIVATE KEY", _lines(12))
VISA, MASTER, AMEX = "4111111111111111", "5555555555554444", "378282246310005"

# The text, the secret in it that must be gone, its kind.
SECRETS: list[tuple[str, str, Kind]] = [
    (RSA, RSA, "private_key"),
    (f"Why does this fail?\n```\n{RSA}\n```\nThanks", RSA, "private_key"),
    *(
        (f"here: {key} ok?", key, "private_key")
        for name in ("PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
        for key in (_pem(name, _lines(6)),)
    ),
    *((key, key, "private_key") for key in (_pem("PGP PRIVATE KEY BLOCK", f"Version: GnuPG v2\n\n{_lines(9)}"),)),
    *(
        (f"a key with a password:\n{key}", key, "private_key")
        for key in (_pem("RSA PRIVATE KEY", f"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{_of(32)}\n\n{_lines(8)}"),)
    ),
    *(
        ('{"type": "service_account", "private_key": "' + key + '\\n"}', key, "private_key")
        for key in (_pem("PRIVATE KEY", _lines(20)).replace("\n", "\\n"),)
    ),
    *((f"> {key}", key, "private_key") for key in (_pem("PRIVATE KEY", _lines(5)).replace("\n", "\n> "),)),
    *((f"windows\r\n{key}\r\n", key, "private_key") for key in (_pem("PRIVATE KEY", _lines(5)).replace("\n", "\r\n"),)),
    (RSA[:500], RSA[40:480], "private_key"),
    (f"the rest of it:\n{RSA[400:]}", RSA[420:], "private_key"),
    (f"{RSA}\nand the public one:\n{_pem('PUBLIC KEY', _lines(2))}", RSA, "private_key"),
    (f"the token is {BOT}", BOT, "slack_token"),
    (f"SLACK_BOT_TOKEN={BOT}", BOT, "slack_token"),
    (f"'token': '{BOT}',", BOT, "slack_token"),
    *(
        (f"use {token}.", token, "slack_token")
        for token in (
            "xo" + f"xp-{_of(12, string.digits)}-{_of(12, string.digits)}-{_of(12, string.digits)}-{_of(32).lower()}",
            "xo" + f"xc-{_of(12, string.digits)}-{_of(12, string.digits)}-{_of(64).lower()}",
            "xo" + f"xd-{_of(40)}%2F{_of(40)}%3D",
            "xo" + f"xe-1-{_of(140)}",
            "xo" + f"xe.xo{'xp'}-1-{_of(160)}",
            "xo" + f"xr-{_of(12, string.digits)}-{_of(24)}",
            "xo" + f"xs-{_of(12, string.digits)}-{_of(24)}",
            "xa" + f"pp-1-A{_of(10, _BASE32)}-{_of(13, string.digits)}-{_of(64).lower()}",
        )
    ),
    (f"post to {HOOK} please", HOOK[8:], "slack_token"),
    (f"<{HOOK}|hook>", HOOK[8:], "slack_token"),
    (f"aws_access_key_id = {AWS_ID}", AWS_ID, "aws_key"),
    (f"id {AWS_ID}, secret {AWS_SECRET}", AWS_SECRET, "aws_key"),
    (f"AWS_SECRET_ACCESS_KEY={AWS_SECRET}", AWS_SECRET, "aws_key"),
    (f'"SecretAccessKey": "{AWS_SECRET}"', AWS_SECRET, "aws_key"),
    (f"aws_secret_access_key: '{AWS_SECRET}'", AWS_SECRET, "aws_key"),
    (f"my secret access key is {AWS_SECRET}", AWS_SECRET, "aws_key"),
    (f"[default]\naws_access_key_id={AWS_ID}\naws_secret_access_key={AWS_SECRET}\n", AWS_SECRET, "aws_key"),
    (f"{AWS_ID}:{AWS_SECRET}", AWS_SECRET, "aws_key"),
    *((f"(AS{'IA'}{tail})", "AS" + "IA" + tail, "aws_key") for tail in (_of(16, _BASE32),)),
    *((f"session {token}", token, "aws_key") for token in ("IQoJ" + "b3JpZ2lu" + _of(300, _ALNUM + "+/"),)),
    *((f"session {token}==", token, "aws_key") for token in ("FwoG" + "ZXIvYXdz" + _of(300, _ALNUM + "+/"),)),
    (f"git clone https://{GITHUB}@github.com/a/b", GITHUB, "github_token"),
    (f"Authorization: token {GITHUB}", GITHUB, "github_token"),
    (f"GITHUB_TOKEN={GITHUB}\n", GITHUB, "github_token"),
    (f"`{GITHUB}`", GITHUB, "github_token"),
    *((f"try {token}!", token, "github_token") for letter in "ousr" for token in (f"gh{letter}_{_of(36)}",)),
    *((f"{token} is it", token, "github_token") for token in (f"github_{'pat'}_{_of(22)}_{_of(59)}",)),
    *((f"new ones: {token}", token, "github_token") for token in (f"gh{'s'}_{_of(40)}.{_of(200)}.{_of(86)}",)),
    (f"MISTRAL_API_KEY={MISTRAL}", MISTRAL, "mistral_key"),
    (f"export MISTRAL_API_KEY='{MISTRAL}'", MISTRAL, "mistral_key"),
    (f"my Mistral key is {MISTRAL} and it fails", MISTRAL, "mistral_key"),
    (f'client = Mistral(api_key="{MISTRAL}")', MISTRAL, "mistral_key"),
    (f'client = Mistral(api_key="{LOWER}")', LOWER, "mistral_key"),
    (f"curl https://api.mistral.ai/v1/models -H 'Authorization: Bearer {MISTRAL}'", MISTRAL, "mistral_key"),
    (f"what is {MISTRAL}?", MISTRAL, "api_key"),
    (f"Authorization: Bearer {MISTRAL}", MISTRAL, "api_key"),
    (f"API_KEY={MISTRAL}", MISTRAL, "api_key"),
    (MISTRAL, MISTRAL, "api_key"),
    (f"my card is {VISA}", VISA, "card_number"),
    (f"{VISA}", VISA, "card_number"),
    ("4111 1111 1111 1111", "4111 1111 1111 1111", "card_number"),
    ("4111-1111-1111-1111 please", "4111-1111-1111-1111", "card_number"),
    ("4111\u00a01111\u00a01111\u00a01111", "1111\u00a01111", "card_number"),
    ("card 4111 1111 1111 1111 12/27 123", "4111 1111 1111 1111", "card_number"),
    ("pay with 4111111111111111 123", VISA, "card_number"),
    (f"MC:{MASTER};", MASTER, "card_number"),
    ("5555 5555 5555 4444.", "5555 5555 5555 4444", "card_number"),
    ("2223003122003222", "2223003122003222", "card_number"),
    (f"amex {AMEX}", AMEX, "card_number"),
    ("3782 822463 10005", "3782 822463 10005", "card_number"),
    ("3056 930902 5904", "3056 930902 5904", "card_number"),
    ("discover: 6011111111111117", "6011111111111117", "card_number"),
    ("jcb 3530111333300000", "3530111333300000", "card_number"),
    ("unionpay 6200000000000005", "6200000000000005", "card_number"),
    (f"cards={VISA},{MASTER}", VISA, "card_number"),
    ("card number (4000 0566 5566 5556)", "4000 0566 5566 5556", "card_number"),
]

INNOCENT: list[str] = [
    "",
    "What is a bise?",
    "Private keys must never be shared.",
    f"What does {'-' * 5}BEGIN PRIVATE KEY{'-' * 5} mean?",
    f"It ends with {'-' * 5}END RSA PRIVATE KEY{'-' * 5}, doesn't it?",
    _pem("PRIVATE KEY", "..."),
    _pem("PRIVATE KEY", "(your key here)"),
    _pem("PUBLIC KEY", _lines(3)),
    _pem("CERTIFICATE", _lines(8)),
    _pem("PGP PUBLIC KEY BLOCK", _lines(8)),
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "b" * 43 + " ada@example.org",
    "SLACK_BOT_TOKEN=xoxb-…",
    "SLACK_BOT_TOKEN=xoxb-your-token-goes-here",
    "a token begins with xoxb- or xapp-1-",
    "xapp-1-your-app-token",
    "https://hooks.slack.com/services/T000/B000/XXXX",
    "https://slack.com/archives/C0123456789/p1700000000000100",
    "see <https://example.slack.com/files/U0123456789/F0123456789/report.pdf>",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "GITHUB_TOKEN=ghp_your_token",
    "github_pat_ is how new tokens begin",
    "the laughing_gh" + "ost_house_in_the_middle_of_the_long_street",
    "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12 broke it",
    "git checkout DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
    "md5 d41d8cd98f00b204e9800998ecf8427e",
    "mistral-7b.gguf has the checksum d41d8cd98f00b204e9800998ecf8427e",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "the request 550e8400-e29b-41d4-a716-446655440000 failed",
    "id 550e8400e29b41d4a716446655440000",
    "AKIA is how the ids of AWS's keys begin",
    "SAKIAMUNIBUDDHATEMPLE1 is no key, nor is XAKIA1234567890ABCDEF",
    "our secret is 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
    "aws_secret_access_key = YOUR_SECRET_ACCESS_KEY",
    "getUserAccountInformationForTeam",
    "getUserAccountInformationV2Async",
    "MistralInstructTokenizerTest32B1",
    "AbstractSingletonProxyFactoryBean2",
    "DocumentTitleAndChapterNumber2Of3",
    "https://docs.google.com/document/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "12345678901234567890123456789012",
    "1234567812345678",
    "4111111111111112",
    "4111 1111 1111 1112",
    "5555555555554445",
    "6011 1111 1111 1111",
    "the Discord channel 411111111111111111 and <@6500000000000000003>",
    "<@!1234567890123456789> <#653000000000000000>",
    "at 1700000000.000100",
    "at 1700000000000100 microseconds, 1700000000000000000 nanoseconds",
    "call +41 44 668 18 00 or 0041 44 668 18 00",
    "+33 1 42 68 53 00, +49 30 901820",
    "IBAN DE89 3704 0044 0532 0130 00",
    "IBAN GB82 WEST 1234 5698 7654 32",
    "IBAN FR76 3000 6000 0112 3456 7890 189",
    "DE89370400440532013000",
    "SIRET 732 829 320 00074, SIREN 732829320",
    "SIRET 38012986646850",
    "EAN 4006381333931, ISBN 978-3-16-148410-0",
    "IMEI 490154203237518",
    "pi is 3.14159265358979323846, and 0.4111111111111111",
    "4111111111111111.5 is a float, 1,4111111111111111 another",
    "4.111111111111111e15",
    "years: 2019 2020 2021 2022 2023 2024",
    "the table 5100 5200 5300 5400 5500 5600 5700",
    "0x4111111111111111 and build_4111111111111111_x",
    "4111\n1111\n1111\n1111",
    "4111  1111  1111  1111",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
    "10.0.0.1 192.168.100.200 255.255.255.255 2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "2026-11-23T21:00:00.000000Z",
    "Tracking 1Z999AA10123456784, order 302-1234567-1234567",
    "😀" * 40,
    "Grüße aus Zürich, où le mistral souffle: 12 °C, 3,50 €",
    "a" * 32,
    "=" * 80,
    "-" * 80,
]
