"""What goals in many languages name: files to make and tests, and what is only spoken of."""

from __future__ import annotations

import pytest

from engine.domain.wanted import asks_for_tests, files_to_make


@pytest.mark.parametrize(
    ("goal", "files"),
    [
        ("Read notes.txt and write summary.md.", ("summary.md",)),
        ("I need help with main.py.", ()),
        ("I want to understand app.py", ()),
        ("Make sure that main.py runs.", ()),
        ("I want a README and a Dockerfile for my app.py", ("README", "Dockerfile")),
        ("We would like a page about.html", ("about.html",)),
        ("List all costs; call the file costs.csv.", ("costs.csv",)),
        ("The file plan.md must be created by the first agent.", ("plan.md",)),
        ("Draw logo.svg and photo.png", ("logo.svg", "photo.png")),
        ("Explain README.md to me", ()),
        ("Erstelle plan.md und budget.csv.", ("plan.md", "budget.csv")),
        ("Bitte plan.md schreiben.", ("plan.md",)),
        ("Lies daten.csv und erstelle daraus bericht.md.", ("bericht.md",)),
        ("Schreibe ein Programm zaehlen.py, das woerter.txt liest.", ("zaehlen.py",)),
        ("Schreibe plan.md, aber keine budget.csv.", ("plan.md",)),
        ("Verbessere main.py.", ()),
        ("Écris un programme compteur.py qui lit mots.txt.", ("compteur.py",)),
        ("N'écris pas plan.md, mais crée idees.md.", ("idees.md",)),
        ("Traduis README.md en français.", ()),
        ("Escribe contador.py que lee palabras.txt y guarda resultado.csv", ("contador.py",)),
        ("Scrivi plan.md e budget.csv.", ("plan.md", "budget.csv")),
        ("Crie um site index.html.", ("index.html",)),
        ("请读取 data.csv，并编写 report.md。", ("report.md",)),
        ("编写一个程序count.py，读取words.txt并打印次数。", ("count.py",)),
        ("data.csvを読んで、report.mdを作成してください。", ("report.md",)),
        ("main.py를 작성해 주세요.", ("main.py",)),
        ("Прочитай data.csv и создай отчёт report.md.", ("report.md",)),
        ("plan.md dosyasını yaz.", ("plan.md",)),
    ],
)
def test_files_to_make(goal: str, files: tuple[str, ...]) -> None:
    """What is read, spoken of, denied, or written by a program when it runs is not to be made."""
    assert files_to_make(goal) == files


@pytest.mark.parametrize(
    ("goal", "asked"),
    [
        ("Schreibe a.py mit Unit-Tests.", True),
        ("Schreibe a.py ohne Tests.", False),
        ("Erstelle a.py mit Testdaten.", False),
        ("Écris a.py avec des tests.", True),
        ("Escribe a.py con pruebas.", True),
        ("编写 a.py，带单元测试。", True),
        ("运行测试。", False),
        ("a.pyを作成し、テストも書いてください。", True),
        ("Напиши a.py с тестами.", True),
        ("Write a quiz that tests knowledge.", False),
    ],
)
def test_tests_asked_for(goal: str, asked: bool) -> None:
    """Data for tests, tests that are there and tests that nobody wants are not asked for."""
    assert asks_for_tests(goal) is asked
