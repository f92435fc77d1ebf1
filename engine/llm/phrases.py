# ruff: noqa: E501 - phrases are easier to compare on one line
"""Phrases with which endpoints say what is wrong, gathered from public reports, by what they mean."""

from __future__ import annotations

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.I)


NO_CREDIT = _any(
    r"insufficient[_ ](?:quota|balance|credits?|funds)",
    r"billing[_ ](?:not[_ ]active|hard[_ ]limit|disabled)",
    r"credit balance is too low",
    r"(?:out of|no|not enough|run out of|lack) (?:remaining |available |more )?credits?\b(?! were)",
    r"used all (?:available|of your|your) credits",
    r"(?:requires?|need|purchase|add|buy) (?:more|additional)?\s?credits?\b",
    r"can only afford",
    r"payment required|payment_required|arrears|overdue|recharge|top up your",
    r"(?:account|balance).{0,40}(?:suspended|exhausted|depleted|negative|insufficient)",
    r"(?:spend|spending|monthly|budget)[ _](?:limit|cap|has been|exceeded)",
    r"(?:have|has|are) (?:any |enough )?no credits|n.t have (?:any|enough) credits|credit card on file|used up your points",
    r"\bkey limit exceeded|specified api usage limits|\barrearage\b|in good standing|free tier of .{0,60}exhausted",
    r"limited to [\d,]+ (?:api )?(?:calls|requests) ?(?:/|per|a) ?month|reached the set inference limit",
    r"credits? (?:are|is|has been|have been) (?:depleted|exhausted|used up|expired)|credit limit (?:reached|exceeded)",
    r"insufficient_user_quota|quota is not enough|requires billing to be enabled|payment method",
    r"(?:specified|set) (?:monthly|weekly) budget|out of points|not[ _]enough[ _]balance|requires a subscription",
    r"token_quota_reached|token quota for this billing",
    r"余额不足|额度不足|额度已用尽|欠费|请充值",
)
OVER_QUOTA = _any(
    r"exceeded your current quota|(?:weekly|monthly|daily) (?:usage limit|free allocation|budget)",
)
BAD_KEY = _any(
    r"(?:invalid|incorrect|wrong|expired|missing|malformed|unknown|disabled|revoked|no)(?: or \w+)?[ _-](?:x-)?api[ _-]?key",
    r"api[ _-]?key.{0,30}(?:not valid|invalid|incorrect|expired|missing|required|revoked|disabled|not found|was reported|leaked|blocked)",
    r"api_key_invalid|invalid_api_key|authentication_error|invalid_authentication|invalid subscription key",
    r"(?:invalid|incorrect|expired|missing|no) (?:auth(?:entication|orization)?|bearer|access)[ _](?:token|credentials?|header)",
    r"could not (?:resolve|find).{0,20}api key|you didn't provide an api key|no auth credentials",
    r"consumer 'api_key:|unregistered callers|api[ _-]?key\b.{0,60}suspended",
    r"invalid token permission_denied|permission_denied\W+invalid token",
    r"\binvalidapikey\b|login fail|(?:令牌|密钥).{0,10}(?:无效|过期|错误|不正确)|身份验证失败",
)
FIREWALL = _any(
    r"error code: ?1\d{3}|attention required|cloudflare|request blocked|web application firewall|\bwaf\b",
    r"firewall rules|virtual network|\bip(?: address)? .{0,40}not (?:allowed|permitted|whitelisted)",
)
MODERATED = _any(
    r"\bflagged\b|\bmoderation\b|content[_ ](?:filter|policy|management policy)|responsibleaipolicy",
    r"data_?inspection_?failed|inappropriate content|content exists risk|safety (?:system|reasons|filter|policy)",
    r"blocked (?:by|due to|for) .{0,30}(?:safety|policy|filter)|prohibited[_ ]content|sensitive (?:content|words?)",
    r"usage (?:polic(?:y|ies)|guidelines)|violat\w+ .{0,40}(?:polic(?:y|ies)|terms)|unsafe content|harmful content",
    r"敏感|不安全|违规|high risk|\bnew_sensitive|guardrail (?:checks|blocked|intervened)|blocked input",
)
TOO_LARGE_FOR_RATE = _any(
    r"request too large.{0,200}(?:tokens per|tpm|rate)",
    r"(?:input or output tokens|message) must be reduced",
    r"usage is required for long context|long context .{0,40}not (?:yet )?available",
    r"reduce your message size",
)
TOO_LONG = _any(
    r"context[_ ]length|context[_ ]window|context[_ ]size|maximum context|max(?:imum)?[_ ]model[_ ]len|num_ctx",
    r"(?:prompt|input|request|messages?)(?: is| are| was)? (?:too long|too large)",
    r"too many (?:input |prompt )?tokens\b(?! per)",
    r"(?:prompt|input|messages?)(?:'s)? (?:token count|tokens?|length|size)\b.{0,60}(?:exceed|longer|larger|greater|too|maximum|limit)",
    r"(?:tokens?|token count|length).{0,50}exceeds?.{0,60}(?:maximum|limit|context|allowed)",
    r"exceeds? (?:the )?(?:model'?s? )?(?:maximum|max|limit of|available|allowed).{0,30}(?:tokens?|context|length)",
    r"input token count.{0,80}only supports up to|maximum supported sequence length|must be less than max_seq_len",
    r"^token limit\b|\b(?:text|content|conversation) is too long|max tokens of \d+ exceeded|number of tokens .{0,40}exceed",
    r"reduce the length|request[_ ]entity[_ ]too[_ ]large|payload too large|request_too_large|string_above_max_length",
    r"larger than the (?:model's|maximum)|longer than the (?:model's|maximum)",
    r"max_(?:completion_)?tokens must be at least 1, got -|contextwindowexceeded|must have less than \d+ tokens",
    r"(?:maximum|max) (?:prompt|input|request) length|exceeded model token limit|range of input length should be",
    r"inputs\W.{0,40}must be <= \d",
)
BAD_ANSWER = _any(
    r"tool_use_failed|failed_generation|failed to call a function|tool call validation failed",
    r"malformed_function_call|malformed function call|invalid tool call|invalid_tool_call",
    r"(?:failed|unable|could not|couldn't|error) ?(?:to |while )?(?:parse|parsing|decode|decoding).{0,40}(?:tool|function|model|output|generat|response|input at pos)",
    r"(?:tool|function)[ _]call(?:s|ing)? pars(?:e|ing) (?:failed|error)|output_parse_failed|json_validate_failed|model (?:produced|generated|returned|output) (?:an )?(?:invalid|malformed)",
    r"did not (?:output|generate|return|produce) (?:a )?valid|xml syntax error",
    r"tokens remaining in message header|unexpected token \d+ while expecting|expecting start token",
)
THROTTLED = _any(
    r"call volume quota|throttlingexception|too many tokens, please wait|please wait before trying again"
)
"""What Bedrock and Azure's API Management say of their rate, in words that elsewhere mean a long prompt or an
empty account, with any status."""
RATE = _any(
    r"rate[ _-]?limit",
    r"too many requests|throttl|resource_exhausted|resource has been exhausted|quota[_ ]exceeded|request limit|per minute|并发|速率|频率|请求过多",
)
BUSY = _any(
    r"overloaded|over capacity|at capacity|temporarily unavailable|try again later|server is busy",
    r"\btimed out\b|degraded function|model (?:was )?unloaded|upstream (?:connect )?error",
    r"upstream (?:request )?timeout|request timeout|^channel error|(?:model|process|engine|runner) (?:has )?(?:crashed|terminated|died)",
    r"繁忙|过载|请稍后|service unavailable|model is (?:currently )?(?:loading|starting|busy)|loading model|high demand",
)
NO_TOOLS = _any(
    r"(?:does|do|did) not (?:currently )?support (?:the )?(?:tools?|function|tool)[ _-]?(?:use|calls?|calling|choice)?",
    r"(?:tools?|tool[ _]use|tool[ _]calls?|tool calling|functions?|function calling)(?: \w+)? (?:is|are) not (?:supported|available|enabled|allowed)",
    r"does not support parameters: \[[^\]]*'tools'",
    r"support tool use|unsupported.{0,20}\btools?\b|tools? (?:param(?:eter)?|field) (?:is )?not (?:supported|allowed)",
    r"(?:tools?|tool use|tool calling|function calling)\b.{0,30}\b(?:is|are) unsupported",
    r"(?:extra (?:fields|inputs)|unrecognized|unknown|unexpected)\b.{0,80}\btools\b(?![.\[])",
)
PARSER_FLAG = _any(r"--enable-auto-tool-choice|--tool-call-parser|--jinja|auto.{0,10}tool choice requires")
OTHER_API = _any(
    r"v1/responses|responses api|not a chat model|only (?:supported|available) in .{0,20}responses",
    r"not (?:supported|accessible|available) (?:in|with|by|via|through) (?:the )?/?(?:v1/)?chat[/ _]completions",
    r"not support (?:the )?chat[ _]?completions?",
    r"unsupported_api_for_model|operation ?not ?supported|requested operation is unsupported",
)
TOO_MANY_TOOLS = _any(
    r"tool_count_limit|'?\btools'?\b.{0,20}(?:array too long|too many)|too many (?:tools|functions)\b",
    r"(?:at most|maximum of|up to) \d+ (?:tools|functions)\b|(?:number of|total) (?:tools|functions) .{0,30}exceed",
)
NO_MEMORY = _any(
    r"requires more (?:system|gpu) memory|not enough memory to load|insufficient system resources",
    r"cudamalloc failed|failed to allocate .{0,40}(?:buffer|memory)",
)
TEMPLATE = _any(
    r"roles must alternate|should alternate with assistant|last message must have role|only user(?: and|, )\W?assistant.{0,20}roles|jinja template|(?:chat|prompt) template .{0,60}(?:error|fail|not)",
    r"(?:error|failed) .{0,30}(?:chat|prompt|jinja) ?template|at row \d+, column \d+",
)
NO_MODEL = _any(
    r"model_?not_?found|model_?not_?exist|invalid_?model|unknown_?model|deploymentnotfound|no_such_model|unsupported_model|unsupported model",
    r"model\b.{0,160}(?:does not exist|doesn't exist|not exist|not found|not available|is unavailable|not a valid|is invalid|isn't available|not supported|not loaded|unknown|deprecated|decommissioned|retired|no longer|deactivated|has been removed|shut ?down)",
    r"\bmodels/\S+ is not found|\bdeployment .{0,40}does not exist",
    r"(?:unknown|invalid|no such|not a valid|no|missing|unrecognized|nonexistent|unsupported|incorrect) model\b",
    r"(?:access to|find|pulling) (?:the )?model|try pulling|pull the model|not have access to.{0,30}model",
    r"no endpoints? found|no (?:allowed )?providers? (?:are |is )?available|no instances? available|you must provide a model|model (?:is )?required",
    r"non-serverless model|llm provider not provided|specify a model|model is not loaded",
    r"model disabled|model access (?:is )?denied|model\.accessdenied|not authorized to use (?:the )?model|blocks this model",
    r"no models? (?:is |are )?loaded|does not work with the specified model|on-demand throughput|inference profile",
    r"模型.{0,12}(?:不存在|不支持|未找到|已下线|已停用)",
)
NO_CHANNEL = _any(r"unable to load model|no available channels? for model|无可用渠道")
"""What one-api and new-api say with 503 of a model that no account behind them offers, and Ollama with 500 of
one that it cannot load."""
NO_ACCESS = _any(r"not allowed to access (?:the )?model|can only access models|key_model_access_denied")
"""What gateways say with 401 of a key that is good for other models."""
NO_PATH = _any(
    r"^\s*$|^404|page not found|^not[ _]found\b|cannot (?:post|get)|invalid url|unexpected endpoint|no route|unknown (?:url|path|route|endpoint)",
    r"resource not found|no such (?:route|endpoint|path)|method not allowed|requested url was not found|^error$|path .{0,60}not found|endpoint .{0,60}not (?:found|supported)|unrecognized request url",
)
PLACE = _any(
    r"unsupported_country|country, region|not available in your (?:country|region)|location is not supported",
    r"(?:organization|account).{0,40}(?:verified|disabled|deactivated|terminated)|permission_?denied|does not have permission|not (?:been )?(?:enabled|used) in project|missing scopes?|insufficient permissions",
    r"terms acceptance|accept the terms|(?:organization|account|project|key) (?:has been|is) restricted",
    r"use case details have not been submitted|aws-marketplace|real-name verification|team is not authorized",
    r"not associated with a wml instance|end of its life|marked by provider as legacy",
    r"blocked at the (?:organization|project)|not activated the model|暂未开放|未开通|(?:没有|无).{0,6}权限",
)
VERSION = _any(r"api[ -]?version")
UNKNOWN_ENDPOINT = _any(
    r"unexpected endpoint|page not found|unknown (?:url|path|route|endpoint)|cannot (?:post|get) "
)
"""What some servers say of a wrong path with status 200 (LM Studio)."""
