"""Name the packages of the wheel; all else is in pyproject.toml, which cannot rename one folder of many.

The folder `alembic/` has the name of the library that reads it, so in the wheel it is `megaagent_migrations`.
"""

from setuptools import find_namespace_packages, setup

MIGRATIONS = "megaagent_migrations"

setup(
    packages=[*find_namespace_packages(include=["engine*", "bot*"]), MIGRATIONS, f"{MIGRATIONS}.versions"],
    package_dir={MIGRATIONS: "alembic"},
)
