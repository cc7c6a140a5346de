"""Reports in a browser, from the file system and without a network: `make test-web`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from tests.web import test_site as site

pytestmark = pytest.mark.web

browser = site.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One of a network and one of an estimator."""
    from typer.testing import CliRunner

    from ckn.commands import app
    from kerneltools.estimators import KernelClassifier

    folder = tmp_path_factory.mktemp("reports")
    words = ["train", "digits", "--out", str(folder / "model"), "--patches", "1000", "--report", "--quiet"]
    assert CliRunner().invoke(app, words).exit_code == 0
    x = np.random.default_rng(0).standard_normal((200, 2))
    labels = np.where(
        x[:, 0] * x[:, 1] > 0, "<img src=x onerror=alert(1)>", "a name without any place to break it in two"
    )
    page = kerneltools.report(KernelClassifier(landmarks=40).fit(x[:100], labels[:100]), x[100:], labels[100:])
    return [folder / "model" / "report.html", page.save(folder / "estimator.html")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_report_opens_alone_and_can_be_read_by_everyone(
    browser: Any,
    pages: list[Path],
    number: int,
    scheme: str,
) -> None:
    with site.Opened(browser, str(pages[number]), scheme=scheme) as opened:
        page = opened.page
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
        for _ in range(2):  # in both colours
            found = site.axe.Axe().run(page, options=rules).response["violations"]
            assert [(rule["id"], [node["target"] for node in rule["nodes"]][:5]) for rule in found] == []
            page.click("#theme")
        page.set_viewport_size(site.PHONE)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= site.PHONE["width"]
        page.keyboard.press("Tab")  # from the button, behind which are the sections
        assert page.evaluate("() => document.activeElement.closest('nav') !== null")
        page.evaluate("() => document.activeElement.blur()")
        assert opened.wrong == []
