from collections.abc import Iterator

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.lab import Lab, launch_browser


# One server and one browser for all browser tests. Not of the session: while Playwright's sync API
# is open, the main thread has a running event loop, and the tests of other folders must not see it.
@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        with Lab(browser) as lab:
            yield lab
        browser.close()
