"""Imports of every module, with the versions that are installed: `make test-lowest` has the lowest ones."""

import pkgutil
from importlib import import_module

import pytest

import rlpriors

MODULES = sorted(module.name for module in pkgutil.walk_packages(rlpriors.__path__, "rlpriors."))


def test_all_folders_are_among_the_modules():
    assert {"rlpriors.agents.irl.objectives", "rlpriors.wrappers.tianshou", "rlpriors.scripts.main"} <= {
        *MODULES
    }
    assert len(MODULES) > 200


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_its_public_names(name):
    module = import_module(name)
    for public in getattr(module, "__all__", ()):
        getattr(module, public)
