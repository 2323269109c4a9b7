import pytest

# So that a failure says which look, and what was found in it.
pytest.register_assert_rewrite("tests.browser.checks")
