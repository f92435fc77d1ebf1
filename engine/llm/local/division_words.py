"""Words of several languages by which a goal asks for several agents, or for one alone. Pure."""

from __future__ import annotations

import re

NUMBERS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5,
    "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "due": 2, "tre": 3, "quattro": 4, "cinque": 5,
    "dois": 2, "três": 3, "quatro": 4, "twee": 2, "drie": 3, "vijf": 5,
    "два": 2, "двух": 2, "двумя": 2, "три": 3, "трёх": 3, "трех": 3, "тремя": 3, "четыре": 4, "четырёх": 4,
    "dwóch": 2, "trzech": 3, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "두": 2, "세": 3, "네": 4,
}  # fmt: skip
_COUNT = "|".join(sorted(NUMBERS, key=len, reverse=True))
_SEVERAL = (
    "several|some|multiple|many|a few|different|separate|mehrere[nr]?|verschiedene[nr]?|einige[nr]?|"
    "plusieurs|différents|varios|varias|distintos|diversi|più|vários|meerdere|verschillende|несколько|нескольких|kilku"
)
WHO = (
    r"(?:agents?|members|workers|writers|developers|authors|experts|roles|specialists|colleagues|assistants|"
    r"helpers|agenten?|autoren|mitglieder|entwickler|rollen|experten|helfer|mitarbeiter|membres|auteurs|"
    r"rédacteurs|développeurs|agentes|miembros|autores|desarrolladores|expertos|agenti|membri|membros|agentami|"
    r"agentów|агент\w*|авторов|участников)"
)
_HAN_WHO = "(?:智能体|智能體|代理|助手|成员|成員|专家|專家|作者|角色|エージェント|メンバー|担当者?)"
ASKED = re.compile(
    rf"(?<!prints )(?<!shows )(?<!lists )(?<!about )(?<!between )"
    rf"\b(?:(?P<number>{_COUNT}|[2-8])|{_SEVERAL})\s+(?:[\w-]+\s+){{0,2}}?{WHO}\b|"
    r"\btwo people (?:on|work|to|should)\b|"
    r"\b(?:as|with|use|using|recruit|form|by|make|build) a team\b|\bas one team\b|\bin parallel\b|"
    r"\bone agent\b(?=.*\b(?:another|other|second|one)\b)|\b(?:its|their|an?) own agents?\b|"
    r"\ban? (?:different |separate )?agent (?:each|for each|per)\b|\bteam of\b|"
    r"\b(?:divide|split|share)d? (?:it|this|the (?:work|task)|up|between|among)\b|"
    r"\b(?:work|task) (?:should be|is|gets) (?:divided|split|shared)\b|"
    r"\b(?:im|als|mit (?:einem|deinem)|ein|das) team\b|\beinen? agent(?:en)?\b(?=.*\bandere)|"
    r"\bteile? (?:es|das|die \w+) (?:unter|auf)|\baufteilen\b|\barbeitsteilig\b|"
    r"\b(?:en|une|l')\s?équipe\b|\bun agent\b(?=.*\bautre)|\brépart\w+|\bpartage\w* le travail\b|"
    r"\b(?:en|un) equipo\b|\bun agente\b(?=.*\b(?:otro|altro))|\breparte\w*|"
    r"\bdivid\w+ (?:el trabajo|il lavoro|o trabalho)|\b(?:in|una) squadra\b|\bem equipe\b|\buma equipe\b|"
    r"\bum agente\b(?=.*\boutro)|\been team\b|\bverdeel\b|"
    r"\bкоманд(?:а|ой|у)\b|\bодин агент\b(?=.*\bдруг)|\bzespoł\w*|"
    rf"(?P<han>[两二三四五六2-8])\s*(?:个|個|名|位|つの|人の|名の|体の)\s*{_HAN_WHO}|"
    rf"(?:多个|多個|几个|複数の?){_HAN_WHO}|"
    rf"多智能体|团队|團隊|分工|チーム|分担|一[个個]{_HAN_WHO}(?=.*另一[个個])|"
    r"(?P<hangul>두|세|네|[2-8])\s*(?:명|개)?의?\s*에이전트|여러\s*에이전트|팀으로|팀을",
    re.I | re.S,
)
ALONE = re.compile(
    r"\b(?:only|just|exactly|no more than) (?:one|1|a single) agent\b|\bone agent (?:only|alone)\b|"
    r"\bsingle agent\b|\b(?:do (?:it|this)|work|write (?:it|this)) (?:all )?alone\b|\bby yourself\b|"
    r"\bno team\b|"
    r"\bwithout (?:a |any )?(?:team|other agents|helpers)\b|"
    r"\b(?:do not|don['’]t) (?:recruit|split|divide|form|use a team)\b|"
    r"\b(?:ohne|kein) team\b|\ballein\b|\bnur ein agent\b|\bun seul agent\b|\bsans équipe\b|"
    r"\bsolo un agente\b|\bsin equipo\b|\bsenza squadra\b|\bsem equipe\b|\bбез команды\b|"
    r"\bтолько один агент\b|不要团队|不用团队|单独完成|"
    r"只用一[个個]|一人で|혼자",
    re.I,
)
JOINED = re.compile(
    r"[\s,;、，:：]*(?:\b(?:and|und|et|y|e|i|en|и|while|then|let|have)\b|和|与|與|以及|と)?[\s,]*"
    r"(?:\b(?:eine[nr]? andere[nr]?|den? andere[nr]?|un autre|otro|altro|outro|другой)\b|l['’]autre(?: \w+)?|"
    r"另一[个個]\S*)?"
    r"[\s,;、，.。]*$",
    re.I,
)
"""What joins a part of a sentence to the next one, at its end."""
READS = re.compile(
    r"\b(?:reads?|from|using|uses|not|no|nicht|keine?|lit|lee|legge|lê|читает|pas|sin|ohne|without)\b|读|從|从|読",
    re.I,
)
SEGMENT = re.compile(r"[,;:：、，；]\s*|\s+(?:and|und|et|y|e|и|while)\s+|\s*(?:和|与|與|以及|と)\s*")
