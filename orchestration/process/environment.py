"""What a child may see of our environment: an allow-list, never all of it.

Variables of secrets, of other tools and of our own stay here. What passes is what programs need in order to find their
files, speak the user's language and get through the user's proxy; an agent's own keys are named one by one.
"""

from collections.abc import Iterable, Mapping

ALLOWED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TERM",
        "TZ",
        "TMPDIR",
        "CI",
        "VIRTUAL_ENV",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "FTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "ftp_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "NODE_EXTRA_CA_CERTS",
        "PIP_CERT",
    }
)
ALLOWED_PREFIXES = ("LC_", "XDG_")


def child_environment(
    source: Mapping[str, str], allow: Iterable[str] = (), extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Choose from `source` what a child may see.

    Args:
        source: The environment to choose from, usually `os.environ`.
        allow: Further names that pass, such as an agent's keys; one that `source` does not have is left out.
        extra: Variables to add; they win over what was chosen.

    Returns:
        The whole environment of the child.
    """
    named = ALLOWED.union(allow)
    chosen = {name: value for name, value in source.items() if name in named or name.startswith(ALLOWED_PREFIXES)}
    return chosen | dict(extra or {})
