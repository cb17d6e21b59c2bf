"""The version, for the package's metadata, ``get_version_info`` and the User-Agent."""

__version__ = "0.1.0"
