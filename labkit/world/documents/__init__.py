"""Six kinds of document, one file each; `WRITERS` maps a kind to the function that writes one.

Every writer takes a `Scribe` and facts and returns a marked text; none knows about editions or ids.
"""

from labkit.world.documents import letters, logs, minutes, news, registry, tables

WRITERS = {
    "registry": registry.write,
    "news": news.write,
    "letter": letters.write,
    "minutes": minutes.write,
    "log": logs.write,
    "table": tables.write,
}
