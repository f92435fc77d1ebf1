"""Make docs/demo.gif: a browser watches `/task demo` on the loopback page, and its screenshots become frames.

    .venv/bin/python scripts/moving_picture.py [--keep FOLDER] [--to FILE]

Needs what the tests need (`scripts/setup.sh test`). Nothing leaves this machine: no model is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, async_playwright

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "demo.gif"
PORT = 18_765
SIZE = {"width": 1000, "height": 640}
EVERY_S = 1.0
FRAME_MS, LAST_MS = 650, 4_000
COLOURS = 64
AT_MOST = 3_000_000
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the product on an empty folder; return it and the address of its page."""
    settings = {
        "DATA_DIR": str(folder / "var"),
        "LOCAL_PORT": str(PORT),
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",  # never asked by the demonstration
        "CARD_EVERY_S": "2",
    }
    product = subprocess.Popen(
        [sys.executable, "-m", "bot", "local"],
        cwd=ROOT,
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert product.stderr is not None
    for line in product.stderr:
        if found := re.search(r"MegaAgent runs: (\S+)", line):
            return product, found[1]
    raise SystemExit("The product did not start.")


async def record(address: str) -> list[bytes]:
    """Watch a demonstration from the welcome to its files; return the screenshots."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = await browser.new_page(viewport=SIZE, color_scheme="dark")
        frames: list[bytes] = []
        await page.goto(address)
        await page.get_by_text("Hello. Give me a goal").wait_for()
        filming = asyncio.create_task(film(page, frames))
        try:
            await act(page)
        finally:
            filming.cancel()
            await asyncio.gather(filming, return_exceptions=True)
        frames.append(await page.screenshot())
        await browser.close()
        return frames


async def film(page: Page, frames: list[bytes]) -> None:
    """Add a screenshot every second."""
    while True:
        frames.append(await page.screenshot())
        await asyncio.sleep(EVERY_S)


async def act(page: Page) -> None:
    """Do what a person does: start it, approve the plan, answer, look into the studio, read the end."""
    await asyncio.sleep(2.5)
    await page.get_by_role("button", name="Watch the demonstration").first.click()
    await asyncio.sleep(4.0)
    await page.locator(".channel", has_text="birthday").first.click()
    await page.get_by_role("button", name="Approve", exact=True).first.wait_for(timeout=30_000)
    await asyncio.sleep(3.0)
    await page.get_by_role("button", name="Approve", exact=True).first.click()
    whale = page.get_by_role("button", name="A whale in a space suit")
    await whale.first.wait_for(timeout=30_000)
    await asyncio.sleep(2.5)
    await whale.first.click()
    await asyncio.sleep(6.0)
    studio = page.locator(".channel", has_text="studio").first
    await studio.click()
    await asyncio.sleep(14.0)
    await page.locator(".channel", has_text="birthday").first.click()
    await page.get_by_text("This was a demonstration").last.wait_for(timeout=120_000)
    await asyncio.sleep(3.0)
    card = page.locator(".file", has_text="card.txt").last.locator("details")
    await card.evaluate("card => { card.open = true; }")
    await card.get_by_text("HAPPY BIRTHDAY").wait_for()
    await card.evaluate("card => card.scrollIntoView({ block: 'end' })")
    await asyncio.sleep(2.0)


def compose(frames: list[bytes], target: Path) -> None:
    """Write the frames as a GIF; equal ones in a row become one that is shown longer."""
    images, times = [], []
    for frame in frames:
        image = Image.open(BytesIO(frame)).convert("RGB")
        image = image.quantize(COLOURS, dither=Image.Dither.NONE)
        if images and image.tobytes() == images[-1].tobytes():
            times[-1] = min(times[-1] + FRAME_MS, 2_000)
            continue
        images.append(image)
        times.append(FRAME_MS)
    times[-1] = LAST_MS
    images[0].save(target, save_all=True, append_images=images[1:], duration=times, loop=0, optimize=True)


def main() -> None:
    """Start, record, compose."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="a folder for the single frames")
    parser.add_argument("--to", type=Path, default=TARGET, help="the file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        product, address = start(Path(folder))
        try:
            began = time.monotonic()
            frames = asyncio.run(record(address))
            print(f"{len(frames)} frames in {time.monotonic() - began:.0f} s")  # noqa: T201
        finally:
            product.terminate()
            product.wait(30)
    for number, frame in enumerate(frames if options.keep else ()):
        (options.keep / f"{number:03}.png").write_bytes(frame)
    compose(frames, options.to)
    print(f"{options.to}: {options.to.stat().st_size:,} bytes")  # noqa: T201
    if options.to.stat().st_size > AT_MOST:
        raise SystemExit("It is too large: fewer colours or frames.")


if __name__ == "__main__":
    main()
