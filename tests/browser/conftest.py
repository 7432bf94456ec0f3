from collections.abc import Iterator

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.lab import Lab, launch_browser


# One server and one browser for all browser tests. Not of the session: while Playwright's sync API
# is open, the main thread has a running event loop, and the tests of other folders must not see it.
@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    # what is expected comes when it comes: a kernel and a model begin within it, on a busy machine
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        with Lab(browser) as lab:
            yield lab
        browser.close()
