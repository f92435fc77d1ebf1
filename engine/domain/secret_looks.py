"""How secrets look that nobody configured here: the name before them, their prefix, their form (pure).

What a pattern matches is hidden but for its group `keep`. A word of an ordinary error is to stay.
"""

from __future__ import annotations

import re

_VALUE = r"[^\s\"'`,;&<>(){}\[\]|\\]"
_WORDS = (
    r"(?:api[_-]?key|key|token|secret|password|passwd|passphrase|pwd|signature|sig|credentials?|auth"
    r"|code[_-]?verifier|device[_-]?code|assertion|session[_-]?id)"
)
_NO_CODE = (
    r"(?!(?-i:None|True|False|null|true|false|lambda|self\.[a-z_]+|…)(?![\w.~+/-]))"
    r"(?!(?<=(?<![a-z_-])key=)[a-z_.]{1,24}(?![\w.~+/-]))"
)
"""Not what programs have in place of a value; after `key` alone, as sorting has it, no name either."""

_CAMEL = (
    r"(?<=[a-z0-9])(?-i:Token|Secret|Password|Passphrase|Signature|Credentials?|Verifier|Assertion|SessionId"
    r"|(?<=[Aa]pi)Key|(?<=[Aa]ccess)Key|(?<=[Aa]ccount)Key|(?<=[Ss]ecret)Key|(?<=[Pp]rivate)Key"
    r"|(?<=[Ss]igning)Key|(?<=[Mm]aster)Key|(?<=[Ee]ncryption)Key)"
)
_NAMES = rf"(?:(?<![a-z])(?:ssl)?{_WORDS}|{_CAMEL})"
"""Names of secrets as settings, addresses and JSON write them: `client_secret`, `refreshToken`."""

NAMED = re.compile(rf"(?:^|[_\W]|ssl){_WORDS}$|{_CAMEL}$|password$|api_?key$|token$|secret$", re.I)
"""Names of settings that hold a secret."""

_BY_NAME = (
    # What stands between "//" and "@" of an address: user and password, or a token alone.
    re.compile(r"(?P<keep>://[^\s/?#:@\"']{0,200}:)(?!\[hidden\]@)[^\s\"'<>]{1,500}(?=@)"),
    re.compile(r"(?P<keep>://)[^\s/?#:@\"'\[\]]{16,500}(?=@)"),
    re.compile(r"(?P<keep>/(?:webhooks|interactions)/\d+/)[\w-]{20,}"),
    re.compile(r"(?P<keep>\bhooks\.slack\.com/(?:services|workflows|triggers)/)[\w/+-]{20,}", re.I),
    re.compile(r"(?P<keep>\bwebhook\.office\.com/webhookb2/)[\w/@-]{20,}", re.I),
    re.compile(r"(?P<keep>\bhooks\.zapier\.com/hooks/catch/)[\w/-]{8,}", re.I),
    re.compile(r"(?P<keep>\bopen\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v\d/hook/)[\w-]{20,}", re.I),
    re.compile(
        rf"(?P<keep>(?<![a-z])(?:authorization|api-key|x(?:-[a-z]+){{0,4}}-(?:token|key|secret))[\\\"']*\s*[:=]"
        rf"\s*[\\\"']*(?:(?:bearer|basic|bot|token|dpop)\s+)?+)(?!\[hidden\]){_VALUE}+",
        re.I,
    ),
    re.compile(
        r"(?P<keep>(?<![a-z-])(?:set-)?cookie[\\\"']*\s*:\s*[\\\"']*)(?!\[hidden\])(?=[^\r\n\"'\s]+=)[^\r\n\"']+",
        re.I,
    ),
    re.compile(
        rf"(?P<keep>\b(?:bearer|basic|bot|dpop)\s+)(?=\S{{0,200}}(?:\d|[._~+/=-][\w=]|=)){_VALUE}{{8,}}", re.I
    ),
    re.compile(rf"(?P<keep>{_NAMES}=[\"']?)(?!\[hidden\]){_NO_CODE}{_VALUE}+", re.I),
    re.compile(rf"(?P<keep>{_NAMES}\\*[\"']\s*:\s*\\*[\"'])(?:\\.|[^\"'\\])+", re.I),
    re.compile(rf"(?P<keep>(?<=[_-])session=[\"']?)(?=[\w-]*\d){_VALUE}{{16,}}", re.I),
    # The code of a sign-in, not that of an error or of an exit.
    re.compile(rf"(?P<keep>[?&]code=)(?!\[hidden\]){_VALUE}{{6,}}", re.I),
    re.compile(
        rf"(?P<keep>\bcode[\\\"']*\s*[:=]\s*[\\\"']*)(?=(?:[^\W\d]*\d){{3}})(?=(?:[\W\d]*[a-z]){{4}})"
        rf"{_VALUE}{{16,}}",
        re.I,
    ),
    re.compile(
        rf"(?P<keep>\b(?:key|token|password|secret)\b[^\n:=]{{0,24}}[:=]\s*[\\\"'`]*)"
        rf"(?={_VALUE}{{0,200}}\d){_VALUE}{{8,}}",
        re.I,
    ),
    # A name, then a value with nothing between them but a blank.
    re.compile(
        rf"(?P<keep>{_NAMES}[\\\"'`]*\s+(?:(?:is|was|of)\s+)?[\\\"'`]*)"
        r"(?=[\w.~+/=-]*\d[\w.~+/=-]*\d)(?=[\w.~+/=-]*[a-z])[\w.~+/=-]{12,}",
        re.I,
    ),
)

_PREFIXES = (
    # Places for code and for packages.
    r"gh[pousr]_|github_pat_|gl(?:pat|dt|rt|ptt|oas|cbt|ft|ffct|imt|agent|soat)-|GR1348941|npm_|pypi-|rubygems_"
    r"|CLOJARS_|dckr_[po]at_|sgp_|pul-|sntry[su]_|glsa_|glc_|pn[ub]_|PMAK-|nfp_|sbp_|HRKU-|tk-(?:us|eu)-|ATBB"
    r"|CCIP(?:AT|RJ)_|bkua_|vc[apikr]_|dd[opw]_|rnd_|sq[apu]_|snyk_[us]at\.|tr_(?:dev|prod)_|signkey-[a-z]+-",
    # Models, search and data.
    r"gsk_|hf_|api_org_|r8_|tvly-|jina_|lsv2_[ps][tk]_|pcsk_|pscale_(?:tkn|oauth|pw)_|bedrock-api-key-|rdme_"
    r"|tgp_v1_|e2b_|bb_live_|apify_api_|sb_secret_|ph[xs]_|essu_|mdb_sa_sk_|napi_|dbt[cu]_|cflt|AVNS_",
    # Clouds and their safes.
    r"AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9]|ABSK|AIza|LTAI|AKCp|cmVmd|ya29\.|1//0|GOCSPX-|do[opr]_v1_|hv[bsr]\.|tskey-"
    r"|dp\.(?:pt|st|ct|sa|scim|audit)\.|dt0[a-z]\d\d\.|fo1_|fm[12][ar]?_|AGE-SECRET-KEY-|ops_ey|p8e-|NRAK-|ico-"
    r"|GOOG1E|AKID|DO00|ory_(?:pat|at|rt|ac)_|sl\.[Bu]\.?",
    # Money, post and people.
    r"[sr]k_(?:live|test|prod)_|whsec_|xox[a-z][.-]|xapp-|shp(?:at|ca|pa|ss)_|AT[AC]TT3|lin_(?:api|oauth)_|ntn_"
    r"|figd_|SG\.|x(?:key|smtp)sib-|sq0[a-z]{3}-|EZ[AT]K|FLW(?:SECK|PUBK)|duffel_(?:live|test)_|fio-u-"
    r"|shippo_(?:live|test)_|sm_[aps]at_|CFPAT-|s-s4t2(?:ud|af)-"
    r"|rzp_(?:live|test)_|access-(?:sandbox|development|production)-|pdl_(?:live|sdbx)_apikey_|xnd_[a-z]+_"
    r"|polar_[a-z]+_|cal_live_|pina_|tfp_|pat-(?:na|eu|ap)\d-",
)

_KEYS = re.compile(
    r"(?P<keep>)-----BEGIN[A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----.*?"
    r"(?:-----END[A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----|\Z)",
    re.S | re.I,
)

_BY_FORM = (
    re.compile(r"(?P<keep>)\b(?:sk|xai|nvapi|pplx|csk)-[\w*.…-]{6,}[\w*]"),
    re.compile(rf"(?P<keep>)\b(?:{'|'.join(_PREFIXES)})(?=[\w.~+/=-]*(?:\d|[a-z][A-Z]))[\w.~+/=-]{{8,}}"),
    # Prefixes that begin words, too, or that stand for something else: what follows decides.
    re.compile(
        r"(?P<keep>)\b(?:dapi[0-9a-f]{32}|(?:SK|key-|fc-)[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}|API-[A-Z0-9]{24,}"
        r"|A3-(?:[A-Z0-9]{5,11}-){4,5}[A-Z0-9]{5}|v1\.0-[0-9a-f]{24}-[0-9a-f]+|sha256~[\w-]{40,}|AQVN[\w-]{30,}"
        r"|EAA[A-Z0-9][\w-]{20,}|BSA[\w-]{24,}|4b1d[a-z0-9]{38}|s\.(?=[a-z]*\d)[a-z0-9]{24}\b|secret_[A-Za-z0-9]{40,}|pat\w{14}\.[0-9a-f]{60,}"
        r"|[ps]at\.[\w-]{22}\.[0-9a-z]{24}\.\w+|[a-z]+_\w+\.\w+\.acc[_-][\w.+/=-]+|\w{14}\.atlasv1\.[\w=-]+"
        r"|dose[0-9a-f]{32}|sk_[0-9a-f]{48}|pk_\d{6,}_[A-Z0-9]{32}|re_\w{8}_\w{24}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}"
        r"|[12]/\d{13,}(?:/\d{13,})?:[0-9a-f]{32}|access_token\$[a-z]+\$\w+\$[0-9a-f]{32}|\w{6}[0-9a-f]{30}NRAL"
        r"|(?:sdk|mob|api)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|st(?:\.[0-9a-f-]{32,36}){3}|oy2[a-z0-9]{43}"
        r"|(?:fw_|pa-|a[ks]-|cio|secret-|[12](?=\w{26}_\w{21}\b))(?=(?:[^\W\d]*\d){2})(?-i:(?=(?:[^\W_A-Z]*[A-Z]+[a-z0-9]){3}))\w{22,}"
        r"|\d{8,10}:[\w-]{34,}|\d{15,16}(?:\||%7c)[\w-]{27,40}|\w{6}_\w{29}_mmk)",
        re.I,
    ),
    re.compile(r"(?P<keep>)(?<![\w.~])[\w~.]{3}\dQ~[\w~.-]{31,}"),
    # Signed and encrypted tokens of three to five parts, also as base64 once more.
    re.compile(r"(?P<keep>)\bey[A-Za-z0-9_-]{10,}\.[\w+/-]{8,}(?:\.[\w+/=-]*){0,3}"),
    re.compile(r"(?P<keep>)\b(?:ZXlK|eyJr)[\w+/\\=-]{40,}"),
    # A bot's token: its id in base64, a time, a signature. A person's with two factors.
    re.compile(r"(?P<keep>)(?<![\w.-])(?:[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}|mfa\.[\w-]{20,})"),
    # Random: upper and lower case with digits, longer than names are. Ids of answers stay.
    re.compile(
        r"(?P<keep>)(?<![\w+/=-])(?!(?:chatcmpl|req|resp|msg|call|gen|run|sha\d{1,3})[_-])(?=[\w-]{32})"
        r"(?=(?:(?:[A-Z_-]++|[^A-Z\W_]++[_-]++)*+[^A-Z\W_]++[A-Z]){4})(?=(?:[A-Za-z_-]+\d+){3})"
        r"(?:[\w-]|%[0-9A-F]{2})+"
    ),
)

_NAME_PARTS = (
    *(
        "key",
        "token",
        "secret",
        "pass",
        "pwd",
        "sig",
        "credential",
        "auth",
        "verifier",
        "device",
        "assertion",
    ),
    *(
        "session",
        "://",
        "webhook",
        "hooks",
        "cookie",
        "bearer",
        "basic",
        "bot",
        "dpop",
        "code",
        "interactions",
    ),
)
"""What a text has in it, in lower case, if any of the names can be: most lines have none."""


def hidden_by_look(text: str, hidden: str) -> str:
    """Return `text` with `hidden` in place of all that looks like a secret."""

    def hide(match: re.Match[str]) -> str:
        return match["keep"] + hidden

    text = _KEYS.sub(hide, text)
    low = text.lower()
    if any(part in low for part in _NAME_PARTS):
        for pattern in _BY_NAME:
            text = pattern.sub(hide, text)
    for pattern in _BY_FORM:
        text = pattern.sub(hide, text)
    return text
