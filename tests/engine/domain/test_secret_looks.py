"""Well-known kinds of secrets are hidden by their look; what errors are about stays.

No sample stands here as a whole, so that no scanner takes this file for a leak: each is a prefix and chance.
"""

from __future__ import annotations

import hashlib
import random
import string
import time

import pytest

from engine.domain.redact import HIDDEN, Redaction

ALPHANUMERIC = string.ascii_letters + string.digits


def chars(length: int) -> str:
    """Return random characters, the same at each run: digits, upper and lower case."""
    made = random.Random(length)
    return "".join(made.choice(ALPHANUMERIC) for _ in range(length - 4)) + "7aQ4"


PREFIXES = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "glcbt-", "npm_"),
    *("pypi-AgEIcHlwaS5vcmc", "rubygems_", "dckr_pat_", "dckr_oat_", "sgp_", "pul-", "sntryu_", "glsa_"),
    *("tvly-", "tvly-dev-", "BSA", "BSAI", "gsk_", "hf_", "api_org_", "r8_", "jina_", "lsv2_pt_", "pcsk_"),
    *("sk-", "sk-proj-", "sk-ant-api03-", "sk-or-v1-", "xai-", "nvapi-", "pplx-", "csk-", "AIza", "ya29."),
    *("AKIA", "ASIA", "ABSK", "LTAI", "GOCSPX-", "1//0", "dop_v1_", "dor_v1_", "hvs.", "hvb.", "tskey-auth-"),
    *("dp.pt.", "dt0c01.", "fm2_", "AGE-SECRET-KEY-1", "ops_eyJ", "sk_live_", "rk_test_", "whsec_", "xoxb-"),
    *("xoxe.xoxp-", "xapp-1-", "shpat_", "shpss_", "ATATT3xFfGF0", "lin_api_", "ntn_", "figd_", "sq0atp-"),
    *("xkeysib-", "EZAK", "CFPAT-", "EAACEdEose0cBA", "pscale_tkn_", "HRKU-", "PMAK-", "secret_"),
)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_well_known_prefix_is_enough(prefix: str) -> None:
    """Bare in a sentence, with nothing that names it."""
    secret = prefix + chars(40)
    told = Redaction()(f"The service answered that {secret} was refused.")
    assert told == f"The service answered that {HIDDEN} was refused."


HEX = hashlib.sha256(b"sample").hexdigest()[:32]
FORMS = {
    "a signed token": "eyJ" + ".".join((chars(20), chars(40), chars(43))),
    "an encrypted token of five parts": "eyJ" + ".".join(chars(n) for n in (30, 60, 16, 80, 22)),
    "a bot's token of a messenger": f"7123456789:AA{chars(33)}",
    "by mail": f"SG.{chars(22)}.{chars(43)}",
    "a data platform's": f"dapi{HEX}",
    "a newsletter's": f"{HEX}-us12",
    "a cloud's client secret": f"{chars(6)[:3]}8Q~{chars(34)}",
    "a random secret key": chars(40),
    "a hook of a chat": f"https://hooks.slack.com/services/T0{chars(8)}/B0{chars(8)}/{chars(24)}",
    "a private key": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{chars(60)}\n-----END PGP PRIVATE KEY BLOCK",
}


@pytest.mark.parametrize("kind", FORMS)
def test_a_well_known_form_is_enough(kind: str) -> None:
    """No ten characters of a random value are left."""
    told = Redaction()(f"It says {FORMS[kind]} is wrong.")
    assert HIDDEN in told
    kept = told.replace("hooks.slack.com/services", "").replace(HIDDEN, "\n")
    random_parts = [FORMS[kind][at : at + 10] for at in range(len(FORMS[kind]) - 10)]
    assert not [part for part in random_parts if part in kept and sum(map(str.isdigit, part)) > 1]


WORD = chars(24)
NAMED = (
    f"GET /signed-in?code={WORD}&state=x",
    f'{{"code": "{WORD}", "grant_type": "authorization_code"}}',
    f"code: {WORD}",
    f"code_verifier={WORD}",
    f'"code_verifier": "{WORD}"',
    f"device_code={WORD}",
    f"refresh_token {WORD}",
    f"the refresh token {WORD} is not known",
    f"refreshToken: '{WORD}'".replace("refreshToken:", "'refreshToken':"),
    f"accessToken={WORD}",
    f"clientSecret={WORD}",
    f"AccountKey={WORD}==;EndpointSuffix=core",
    f"client_assertion={WORD}",
    f"id_token={WORD}",
    f"X-Subscription-Token: {WORD}",
    f"x-goog-api-key: {WORD}",
    f"X-Auth-Token: {WORD.lower()}",
    f"Authorization: DPoP {WORD}",
    f"Cookie: theme=dark; sid={WORD}",
    f"Set-Cookie: __Host-id={WORD}; HttpOnly",
    f"_gitlab_session={WORD.lower()}",
    f"X-Amz-Security-Token={WORD}&X-Amz-Signature={WORD}",
)


@pytest.mark.parametrize("text", NAMED)
def test_what_is_named_as_a_secret_is_hidden(text: str) -> None:
    """Parts of a sign-in, headers, settings in the spellings of several languages."""
    told = Redaction()(text)
    assert WORD.lower() not in told.lower()
    assert HIDDEN in told
    assert Redaction()(told) == told


@pytest.mark.parametrize(
    "text",
    [
        "exit code: 137; error code: context_length_exceeded_v2; status code=404, code=ECONNREFUSED",
        '{"error": {"code": "model_not_found", "type": "invalid_request_error", "param": null}}',
        "GET https://example.org/list?code=404",
        "The code: see https://example.org/docs/2026/errors",
        "sha512-kKaFkyAh6oipvc9+EAbJ552JafnMnOq5nzmzWkp1jJdBhTAAGpmIpWihUG1+rfNhmEFM98gUZDdCHCDD4v6a7Q==",
        "commit 5f3a9b0c77de41a2b8e6d0f91c23a4b5c6d7e8f9 of task-12",
        "request id req_011CSHoEeqs5C35K2UUqR7Fyabcd, answer chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeGx",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "test_a_sign_in_a_renewal_and_a_sign_out_hold_in_every_process[postgresql-procrastinate]",
        "hf_hub_download, npm_config_registry, HF_HUB_DISABLE_XET=1, start_new_session=True",
        "claude-opus-4-5-20251101, gpt-4.1-mini-2025-04-14, qwen3-coder-480b-a35b-instruct",
        "the token gpt2 of the vocabulary; a token budget of 4096; key 12 of 30",
        "primaryKey=id, max_tokens=4096, tokens: 110, sessions=3",
        "/srv/Projects/MegaAgent2026/tests/TestRun1234.py:77",
    ],
)
def test_what_errors_are_about_stays(text: str) -> None:
    """Codes, digests, ids of requests, names of models and of tests."""
    assert Redaction()(text) == text


def test_no_text_takes_long() -> None:
    """No look goes over a text again and again."""
    for text in ("_" * 50_000, "aB1" * 20_000, "token " + "a" * 50_000, "ey" + "a." * 25_000, "x-" * 25_000):
        began = time.process_time()
        Redaction()(text)
        assert time.process_time() - began < 3.0
