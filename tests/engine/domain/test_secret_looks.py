"""Well-known kinds of secrets are hidden by their look; what errors are about stays.

No sample stands here as a whole, so that no scanner takes this file for a leak: each is a prefix and chance.
"""

from __future__ import annotations

import hashlib
import random
import string
import time
from pathlib import Path

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


def mixed(length: int, letters: str = ALPHANUMERIC) -> str:
    """Return random characters of an alphabet, the same at each run."""
    made = random.Random(f"{length} {letters}")
    return "".join(made.choice(letters) for _ in range(length))


LOWER, UPPER, DIGITS, HEXES = (
    string.ascii_lowercase + string.digits,
    string.ascii_uppercase + string.digits,
    string.digits,
    "0123456789abcdef",
)
UUID = "-".join(mixed(n, HEXES) for n in (8, 4, 4, 4, 12))
DOCUMENTED = {
    "builds": (f"CCIPAT_{mixed(22)}_{mixed(40, HEXES)}", f"bkua_{mixed(40, HEXES)}", f"tr_prod_{mixed(20)}"),
    "hosting": (f"vcp_{mixed(56)}", f"vck_{mixed(56)}", f"rnd_{mixed(28)}", f"ddp_{mixed(36)}"),
    "code": (
        f"squ_{mixed(40, HEXES)}",
        f"snyk_uat.{mixed(8)}.{mixed(60)}",
        f"ATBB{mixed(36)}",
        f"cio{mixed(32)}",
    ),
    "packages": (f"oy2{mixed(43, LOWER)}", f"signkey-prod-{mixed(64, HEXES)}"),
    "data": (f"sb_secret_{mixed(22)}_{mixed(8)}", f"napi_{mixed(64, LOWER)}", f"mdb_sa_sk_{mixed(40)}"),
    "more data": (f"dose{mixed(32, HEXES)}", f"essu_{mixed(80)}", f"cflt{mixed(60)}", f"AVNS_{mixed(19)}"),
    "models": (f"tgp_v1_{mixed(43)}", f"fw_{mixed(24)}", f"pa-{mixed(43)}", f"sk_{mixed(48, HEXES)}"),
    "machines": (
        f"e2b_{mixed(40, HEXES)}",
        f"bb_live_{mixed(27)}",
        f"apify_api_{mixed(36)}",
        f"as-{mixed(22)}",
    ),
    "measures": (f"phx_{mixed(43)}", f"dbtc_{mixed(40)}", f"eu01xx{mixed(30, HEXES)}NRAL", f"sdk-{UUID}"),
    "money": (f"rzp_live_{mixed(14)}", f"access-production-{UUID}", f"xnd_production_{mixed(58)}"),
    "more money": (
        f"access_token$production${mixed(16, LOWER)}${mixed(32, HEXES)}",
        f"pdl_live_apikey_{mixed(26, LOWER)}_{mixed(22)}_{mixed(3)}",
        f"polar_pat_{mixed(43)}",
    ),
    "post": (f"re_{mixed(8)}_{mixed(24)}", f"{mixed(32, HEXES)}-{mixed(8, HEXES)}-{mixed(8, DIGITS)}"),
    "people": (f"2/{mixed(16, DIGITS)}/{mixed(16, DIGITS)}:{mixed(32, HEXES)}", f"pat-na1-{UUID}"),
    "work": (
        f"pk_{mixed(8, DIGITS)}_{mixed(32, UPPER)}",
        f"tfp_{mixed(44)}_{mixed(14)}",
        f"cal_live_{mixed(32, HEXES)}",
    ),
    "clouds": (
        f"GOOG1E{mixed(55, UPPER)}",
        f"DO00{mixed(16, UPPER)}",
        f"AKID{mixed(32)}",
        f"ory_pat_{mixed(32)}",
    ),
    "safes": (f"st.{UUID}.{mixed(32, HEXES)}.{mixed(31, HEXES)}a", f"2{mixed(26)}_{mixed(21)}"),
    "pictures": (
        f"pina_{mixed(60)}",
        f"sl.u.{mixed(130)}",
        f"AAAAAAAAAAAAAAAAAAAAA{mixed(25)}%2B{mixed(10)}%3D{mixed(50)}",
    ),
}
"""As their makers document them, with made-up values."""


@pytest.mark.parametrize(
    "secret", [each for some in DOCUMENTED.values() for each in some], ids=lambda s: s[:9]
)
def test_a_form_that_its_maker_documents_is_enough(secret: str) -> None:
    """Nothing of it is left."""
    told = Redaction()(f"The service answered that {secret} was refused.")
    assert told == f"The service answered that {HIDDEN} was refused."


@pytest.mark.parametrize(
    "path", ["zapier.com/hooks/catch/12345678/", "open.feishu.cn/open-apis/bot/v2/hook/"]
)
def test_a_hook_by_its_address_is_hidden(path: str) -> None:
    """Whoever has the address can write there."""
    told = Redaction()(f"POST https://hooks.{path}{UUID}".replace("hooks.open", "open"))
    assert UUID not in told and HIDDEN in told


CALLS = (
    "sorted(found, key=lambda each: each.kind); min(it, key=keyfunc); def bisect(a, *, key=None):",
    "id: int = Field(default=None, primary_key=True), auth=self.carried, password=None, OPENAI_API_KEY=…",
    'Return the arguments common to webhooks and bot messages."""',
)
NAMES = ("key", "token", "secret", "pass", "pwd", "auth", "credential", "sig", "code", "cookie", "session")


@pytest.mark.parametrize("text", CALLS)
def test_what_programs_write_in_place_of_a_value_stays(text: str) -> None:
    """Constants, names to sort by, attributes."""
    assert Redaction()(text) == text


def test_two_thousand_lines_of_ordinary_code_and_prose_stay() -> None:
    """Lines of this repository in which nothing is named as a secret, drawn by a seed."""
    root, redacted = Path(__file__).parents[3], Redaction()
    files = [
        *root.glob("*.md"),
        *root.glob("docs/**/*.md"),
        *root.glob("engine/**/*.py"),
        *root.glob("bot/**/*.py"),
    ]
    lines = [line for file in sorted(files) for line in file.read_text(encoding="utf-8").splitlines()]
    plain = [line for line in lines if len(line) > 20 and not any(name in line.lower() for name in NAMES)]
    drawn = random.Random(14).sample(plain, 2_000)
    assert [line for line in drawn if redacted(line) != line] == []


def test_no_text_takes_long() -> None:
    """No look goes over a text again and again."""
    texts = (
        *("_" * 50_000, "aB1" * 20_000, "token " + "a" * 50_000, "ey" + "a." * 25_000, "x-" * 25_000),
        *("a_" * 25_000, "aB_" * 17_000, "secret-" * 7_000, "1/" + "1" * 50_000, "st." * 17_000),
    )
    for text in texts:
        began = time.process_time()
        Redaction()(text)
        assert time.process_time() - began < 3.0
