def lookup(table: dict) -> str:
    return table["missing"]
