"""Print the weather as Redis commands, for `kubectl exec -i -n flights deploy/redis -- redis-cli --pipe`."""

import sys

from flight_delay.facts import redis_commands, tables

if __name__ == "__main__":
    sys.stdout.buffer.writelines(redis_commands(tables()["weather"]))
