"""What text may be."""


def encodable(text: str) -> bool:
    """Whether it is UTF-8: Python's strings may have lone surrogates, which JSON, Redis and others cannot hold."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
