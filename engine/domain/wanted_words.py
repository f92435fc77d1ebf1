"""Words of several languages that say what a goal wants with a file that it names. Pure.

English is in `wanted.py`, whose rules these extend. Where the verb stands after what it is about (Japanese,
Korean, an infinitive in German), the word after the name decides.
"""

from __future__ import annotations

import re

MAKE = (
    r"schreib(?:en?)?|erstellen?|erzeugen?|mach(?:en?)?|bau(?:en?)?|speicher[en]|generier(?:en?)|"
    r"entwickel[en]|entwickle|programmieren?|verfassen?|lege?|namens|"
    r"écri(?:s|re|vez)|cré(?:e|er|ez)|fai(?:s|re|tes)|génér(?:er|ez)|génère|rédig(?:e|er|ez)|prépar(?:e|er|ez)|"
    r"enregistre[rz]?|développe[rz]?|nommée?|"
    r"escrib(?:e|ir|a)|crear?|cree|haz|hacer|generar?|redactar?|preparar?|guardar?|desarrolla|construye|llamad[oa]|"
    r"scriv(?:i|ere)|creare|fai|fare|generare|preparare|salva(?:re)?|sviluppa|realizza(?:re)?|chiamato|"
    r"escrev(?:a|er?)|cri(?:e|ar?)|faça|fazer|gere|gerar?|prepare|salve|salvar|desenvolva|"
    r"schrijf|schrijven|maak|maken|creëer|genereer|bewaar|"
    r"napisz|stwórz|utwórz|zrób|zapisz|przygotuj|wygeneruj|"
    r"напиши(?:те)?|создай(?:те)?|сделай(?:те)?|сохрани(?:те)?|подготовь(?:те)?|составь(?:те)?|"
    r"сгенерируй(?:те)?|разработай(?:те)?|skriv|skapa|lav|opret|gör|spara"
)
USE = (
    r"qui \w+|que (?:escribe|crea|guarda|lee|genera|escreve|cria)|che (?:scrive|crea|salva|legge|genera)|"
    r"lies|liest|lesen?|lad(?:e|en)|lädt|öffne[tn]?|verwende[tn]?|benutze[tn]?|nutze[tn]?|korrigieren?|"
    r"reparieren?|verbesser[en]|verbessere|übersetzen?|prüfen?|analysieren?|erklären?|beschreiben?|importieren?|"
    r"ändern?|ändere|löschen?|schreibt|erstellt|erzeugt|speichert|ausgibt|"
    r"lis|lire|lisez|ouvr(?:e|ir|ez)|utilis(?:e|er|ez)|depuis|à partir de|corrig(?:e|er|ez)|"
    r"amélior(?:e|er|ez)|tradui(?:s|re|sez)|analyse[rz]?|expliqu(?:e|er|ez)|"
    r"lee|leer|abr(?:e|ir)|usar?|utiliza|desde|mejora|traduce|analiza|explica|"
    r"leggi|leggere|apri|usare|correggi|migliora|traduci|riassumi|analizza|spiega|"
    r"leia|ler|abra|corrija|melhore|traduza|analise|explique|a partir de|"
    r"lees|lezen|gebruik|verbeter|vertaal|"
    r"przeczytaj|otwórz|użyj|popraw|przetłumacz|przeanalizuj|"
    r"прочитай(?:те)?|прочти(?:те)?|открой(?:те)?|используй(?:те)?|исправь(?:те)?|улучши(?:те)?|"
    r"переведи(?:те)?|проанализируй(?:те)?|объясни(?:те)?|läs|læs|använd"
)
SPOKEN_OF = (
    r"von|für|über|aus|nach|mit|wie|de|du|des|pour|sur|depuis|avec|para|con|sobre|desde|da|di|per|van|voor|uit|"
    r"met|из|для|о|про|по|z|ze|dla|från|fra"
)
DENIED = (
    r"\b(?:nicht|keine?\w?|ohne|pas|sans|sin|non|senza|não|sem|niet|geen|zonder|nie|bez|не|без)\b|"
    r"不要|不需|不用|别|別|勿"
)
DENIED_AFTER_VERB = re.compile(r"\b(?:nicht|keine?\w?|pas|niet|geen|ikke|inte)\b", re.I)

_MAKE_HAN = (
    r"编写|撰写|写(?!入)|创建|新建|生成|制作|建立|保存|开发|实现|编(?=一)|做|"
    r"編寫|撰寫|寫(?!入)|創建|製作|開發|實現"
)
_USE_HAN = (
    r"读取|阅读|读|讀取|讀|打开|打開|根据|根據|从|從|使用|用|分析|修复|修改|修正|翻译|翻譯|运行|加载|解释|检查|导入|总结|"
    r"优化|改进|写入|寫入|输出"
)
HAN = re.compile(rf"(?P<make>{_MAKE_HAN})|(?P<use>{_USE_HAN})")
AFTER = re.compile(
    r"(?P<make>作成|作って|作る|書いて|書く|書き|生成して|用意|保存して|実装|まとめて|작성|만들|생성해|저장해|"
    r"\b(?:schreiben|erstellen|anlegen|erzeugen|speichern|yaz(?:ın)?|oluştur(?:un)?|hazırla(?:yın)?|kaydet|"
    r"(?:should|must|shall|to) be (?:written|created|made|produced))\b)|"
    r"(?P<use>読|開|から|使|修正|翻訳|実行|基に|もとに|分析|説明|確認|읽|열|에서|사용|수정|번역|실행|분석|설명|"
    r"\b(?:lesen|verwenden|benutzen|prüfen|korrigieren|übersetzen|oku|aç|kullan|düzelt)\b)"
)
RELATIVE = re.compile(r",\s*(?:das|der|die|welche\w?)\b|\b(?:que|qui|che)\b|\b(?:котор\w+|któr\w+)\b", re.I)
"""Between a verb and a name: what follows is said of something else, a program that reads or writes it."""
VERB_LAST = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
"""Kana or Hangul: the verb stands after what it is about."""
_HAN = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u3000-\u303f\uff00-\uffef"
_SEAM = re.compile(rf"(?<=[{_HAN}])(?=[A-Za-z0-9_`-])|(?<=[A-Za-z0-9_`])(?=[{_HAN}])")

TESTS = re.compile(
    r"\b(?:mit|samt|inklusive|inkl\.|und|schreib\w*|avec|et|écri\w*|con|y|e|com|met|en|z|i|с|и)\s+"
    r"(?:(?!(?:keine?|no|non|sans|ohne|den|die|der|les|las|los|os|as)\b)[\w-]+\s+){0,2}?"
    r"(?:(?:py|unit|komponenten|modul)-?)?(?:tests?|testen|pytest-tests?|unittests?|pruebas|testes|testy|тест\w*)\b"
    r"(?!-?(?:daten|ergebnis)|\s+(?:de|d')\s*(?:données|datos|dados))|"
    r"(?:带|帶|编写|編寫|写|寫|并|並|和|含|包括|包含|附|以及|加上)[^，。；,.;]{0,8}?(?:测试|測試)(?!数据|數據|结果|結果)|"
    r"(?:テスト|테스트)[^。、,.]{0,6}?(?:書|作|付|含|追加|작성|포함|추가)",
    re.I,
)
NO_TESTS = re.compile(
    r"\b(?:ohne|keine|sans|pas de|sin|senza|sem|zonder|geen|bez|без)\s+(?:\w+\s+){0,2}?(?:\w+-?)?"
    r"(?:tests?|pruebas|testes|testy|тест\w*)|(?:不要|不需要|无需|不用|运行|通过)[^，。]{0,4}(?:测试|測試)|"
    r"テスト(?:は|が)(?:不要|いら)",
    re.I,
)
OUTPUT = re.compile(
    r"\b(?:ausgibt|ausgeben|zeigt|druckt|affiche\w*|imprime\w*|muestra\w*|mostra\w*|stampa\w*|toont|wyświetla\w*|"
    r"drukuje\w*|выводит|показывает|печатает|spiel|jeu|juego|gioco|jogo|игр\w*)\b|打印|显示|顯示|输出|表示|出力|출력|"
    r"游戏|遊戲|ゲーム",
    re.I,
)
INTERFACE = re.compile(
    r"\b(?:gerüst|vorlage|schnittstelle|squelette|modèle|esqueleto|plantilla|scheletro|modello|modelo|szkielet|"
    r"шаблон|каркас)\w*|模板|接口|骨架|介面|雛形|テンプレート",
    re.I,
)
REPEATS = re.compile(r"\b(?:lied\w*|chanson|canci[oó]n|canzone|canção|piosenk\w*|песн\w*)\b|歌|曲", re.I)


def spaced(goal: str) -> str:
    """Return a goal with a blank where Chinese, Japanese or Korean meets a name in Latin letters."""
    return _SEAM.sub(" ", goal)
